//! The firmware's ELF: whether it is ours, where its marks are, what goes into flash.

use super::trouble::Trouble;
use object::{
    Endianness, Object, ObjectSection, ObjectSymbol,
    elf::PT_LOAD,
    read::elf::{ElfFile32, ProgramHeader},
};
use ss_lib::wire::{
    IMAGE_BYTES, IMAGE_MAGIC, IMAGE_SYMBOL, PROTOCOL, VERSION_BYTES, crash::CRASH_SYMBOL, text_of,
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The largest file that is taken for a firmware, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What is known of the firmware's file.
#[derive(Clone, Debug)]
pub(crate) struct Firmware {
    pub(crate) path: PathBuf,
    /// Its version with its commit.
    pub(crate) version: String,
    /// Where the control block of RTT is.
    pub(crate) rtt: u32,
    /// Where the record of a crash is.
    pub(crate) crash: u32,
    /// What goes into flash: address and bytes.
    pub(crate) segments: Vec<(u32, Vec<u8>)>,
    /// Memory that it uses: first and last address.
    pub(crate) used: Vec<(u32, u32)>,
    /// Its functions: address, length, name.
    functions: Vec<(u32, u32, String)>,
}

impl Firmware {
    /// Reads the ELF at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, Trouble> {
        let foreign = |why: String| Trouble::ForeignElf { path: path.to_owned(), why };
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Trouble::NoElf { path: path.to_owned() });
            }
            Err(error) => return Err(foreign(error.to_string())),
        };
        let file: ElfFile32<'_, Endianness> = ElfFile32::parse(&*bytes)
            .map_err(|_| foreign("it is no ELF of a 32-bit machine".to_owned()))?;
        if file.architecture() != object::Architecture::Arm {
            return Err(foreign("it is for another machine".to_owned()));
        }
        let address = |name: &str| {
            let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
            symbol.map(|symbol| symbol.address() as u32)
        };
        let missing = |name: &str| foreign(format!("it has no symbol {name}"));
        let mark = address(IMAGE_SYMBOL).ok_or_else(|| missing(IMAGE_SYMBOL))?;
        let image = file.sections().find_map(|section| {
            section.data_range(u64::from(mark), IMAGE_BYTES as u64).ok().flatten()
        });
        let image = image.ok_or_else(|| foreign(format!("{IMAGE_SYMBOL} has no bytes")))?;
        let (magic, rest) = image.split_at(IMAGE_MAGIC.len());
        if magic != IMAGE_MAGIC {
            return Err(foreign(format!("{IMAGE_SYMBOL} holds something else")));
        }
        let protocol = u16::from_le_bytes([rest[0], rest[1]]);
        if protocol != PROTOCOL {
            return Err(Trouble::Protocol { firmware: protocol });
        }
        let mut version = [0; VERSION_BYTES];
        version.copy_from_slice(&rest[4..4 + VERSION_BYTES]);
        let (segments, used) = memory(&file);
        Ok(Self {
            path: path.to_owned(),
            version: text_of(&version).to_owned(),
            rtt: address("_SEGGER_RTT").ok_or_else(|| missing("_SEGGER_RTT"))?,
            crash: address(CRASH_SYMBOL).ok_or_else(|| missing(CRASH_SYMBOL))?,
            segments,
            used,
            functions: functions(&file),
        })
    }

    /// The function at an address, by name.
    pub(crate) fn function(&self, address: u32) -> String {
        let address = address & !1;
        let found = self.functions.iter().find(|&&(at, len, _)| address.wrapping_sub(at) < len);
        found.map_or("no function of the firmware".to_owned(), |(_, _, name)| name.clone())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is too large"));
    }
    std::fs::read(path)
}

type Segments = Vec<(u32, Vec<u8>)>;

/// What is loaded, by where it lies in flash; and all memory that is used.
fn memory(file: &ElfFile32<'_, Endianness>) -> (Segments, Vec<(u32, u32)>) {
    let endian = file.endian();
    let (mut segments, mut used) = (Vec::new(), Vec::new());
    for header in file.elf_program_headers() {
        if header.p_type(endian) != PT_LOAD {
            continue;
        }
        let (load, run) = (header.p_paddr(endian), header.p_vaddr(endian));
        let (in_file, in_memory) = (header.p_filesz(endian), header.p_memsz(endian));
        for (at, len) in [(load, in_file), (run, in_memory)] {
            if len > 0 {
                used.push((at, at.saturating_add(len - 1)));
            }
        }
        if let Ok(data) = header.data(endian, file.data())
            && !data.is_empty()
        {
            segments.push((load, data.to_vec()));
        }
    }
    (segments, used)
}

fn functions(file: &ElfFile32<'_, Endianness>) -> Vec<(u32, u32, String)> {
    let functions = file.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    let named = functions.filter_map(|symbol| {
        let (address, name) = (symbol.address() as u32 & !1, symbol.name().ok()?);
        (symbol.size() > 0).then(|| (address, symbol.size() as u32, plain(name)))
    });
    named.collect()
}

/// A name as it stands in the source, without what tells two builds apart.
fn plain(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Where `fw-shim/build` puts it.
pub(crate) fn default_path() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    PathBuf::from(target).join("fw-shim.elf")
}
