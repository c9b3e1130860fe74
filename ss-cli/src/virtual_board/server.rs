//! The board on its TCP port: one tool at a time.

use super::{adi::Adi, core::Core, remote::Remote};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often a connection that is silent is asked whether the board is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A virtual board, until this is dropped.
pub(crate) struct Board {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    error: Mutex<Option<String>>,
}

impl Board {
    /// Starts the machine with `elf` in its flash, and listens.
    pub(crate) fn start(elf: &Path, listen: SocketAddr) -> Result<Self, String> {
        let unusable = |error: io::Error| {
            format!("{listen} cannot be listened on ({error}): use another port")
        };
        let listener = TcpListener::bind(listen).map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let remote = Remote::new(Adi::new(Core::start(elf)?));
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, remote, &shared)
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why it has ended by itself.
    pub(crate) fn error(&self) -> Option<String> {
        let is_over = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        let error = self.shared.error.lock().ok()?.clone();
        error.or_else(|| is_over.then(|| "the virtual board has ended".to_owned()))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A board whose thread panicked is over, too.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, mut remote: Remote, shared: &Shared) {
    while !shared.is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                remote.begin();
                // A tool that goes away without a word is no fault of the board.
                let _ = talk(&stream, &mut remote, shared);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => {
                if let Ok(mut place) = shared.error.lock() {
                    *place = Some(format!("the virtual board cannot listen any more: {error}"));
                }
                return;
            }
        }
    }
}

fn talk(mut stream: &TcpStream, remote: &mut Remote, shared: &Shared) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOOK_EVERY))?;
    let mut bytes = [0; 4096];
    while !shared.is_over.load(Ordering::Relaxed) {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let answers = remote.take(&bytes[..count]);
                stream.write_all(answers.as_bytes())?;
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
