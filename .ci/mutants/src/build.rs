//! A copy of the tree in which every mutant waits behind its switch, and the test programs of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    ops::Range,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::instrument::{DOES_NOT_COMPILE, Mutant, Place, Rewritten, rewrite};

/// What a run has to know, in the copy: the test programs, and of each mutant what it is.
pub const STATE: &str = "mutants.json";

/// A copy in the copy, without switches, for mutants that no switch can stand for.
pub const ALONE: &str = "alone";

/// What `.cargo/mutants.toml` gives cargo.
const TESTS: &str = "--locked --profile mutants -p ss-lib -p ss-tests --features ss-tests/mutants \
                     --lib --test mutants --message-format json";

/// Mutants by their numbers, which count from 1.
type Mutants = BTreeMap<u32, Mutant>;

/// Copies the tree at `from` to `tree`, puts the switches in and builds the tests.
pub fn build(from: &Path, tree: &Path) -> Result<(), Box<dyn Error>> {
    copy(from, tree)?;
    copy(from, &tree.join(ALONE))?;
    let mutants = list(from)?;
    put_switch(tree, mutants.len())?;
    let mut files: BTreeMap<&str, Mutants> = BTreeMap::new();
    for (&number, mutant) in &mutants {
        files.entry(&mutant.file).or_default().insert(number, mutant.clone());
    }
    let mut left_out = LeftOut::default();
    let (rewritten, programs) = loop {
        let mut rewritten = BTreeMap::new();
        for (&file, own) in &files {
            let text = fs::read_to_string(from.join(file))?;
            let new = rewrite(&text, own, &|it| left_out.has(it), &left_out.stay_const);
            fs::write(tree.join(file), &new.text)?;
            rewritten.insert(file, new);
        }
        // Most errors are found without building anything.
        if left_out.learn(&cargo(tree, "check")?, &rewritten)? {
            continue;
        }
        let messages = cargo(tree, "test --no-run")?;
        if !left_out.learn(&messages, &rewritten)? {
            break (rewritten, programs(&messages));
        }
    };
    for &(number, why) in rewritten.values().flat_map(|new| &new.without_switch) {
        if why == DOES_NOT_COMPILE {
            left_out.not_viable.insert(number);
        } else {
            left_out.alone.insert(number, why.to_owned());
        }
    }
    let switches = rewritten.values().flat_map(|new| &new.switches);
    let switches: BTreeMap<u32, u32> = switches.map(|at| (at.mutant, at.first)).collect();
    let describe = |(number, mutant): (&u32, &Mutant)| {
        let why = left_out.alone.get(number);
        let class = match (left_out.not_viable.contains(number), why) {
            (true, _) => "not viable",
            (_, Some(_)) => "alone",
            _ => "switched",
        };
        let switch = switches.get(number);
        let Mutant { name, file, replaces, replacement, .. } = mutant;
        json!({
            "number": number, "name": name, "file": file, "class": class, "why": why, "switch": switch,
            "start": replaces.start, "end": replaces.end, "replacement": replacement,
        })
    };
    let listed: Vec<Value> = mutants.iter().map(describe).collect();
    let state = json!({ "programs": programs, "mutants": listed });
    Ok(fs::write(tree.join(STATE), serde_json::to_string_pretty(&state)?)?)
}

/// Copies what git knows of `from`.
fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let copy = "git ls-files -z | xargs -0 cp --parents -t \"$0\"";
    output(Command::new("sh").args(["-c", copy]).arg(to.canonicalize()?).current_dir(from))?;
    Ok(())
}

/// Gives the engine the module that the switches ask.
fn put_switch(tree: &Path, mutants: usize) -> Result<(), Box<dyn Error>> {
    let root = tree.join("ss-lib/src/lib.rs");
    let begins = ("#![forbid(unsafe_code)]", "#![allow(warnings)]\nmod mutant;");
    fs::write(&root, fs::read_to_string(&root)?.replace(begins.0, begins.1))?;
    let switch = include_str!("switch.rs").replace("@COUNT@", &(mutants + 1).to_string());
    Ok(fs::write(tree.join("ss-lib/src/mutant.rs"), switch)?)
}

fn list(from: &Path) -> Result<Mutants, Box<dyn Error>> {
    let listing = ["mutants", "--list", "--json"];
    let listed = output(Command::new("cargo").args(listing).current_dir(from))?;
    let listed: Vec<Value> = serde_json::from_slice(&listed)?;
    let mut mutants = Mutants::new();
    for (number, mutant) in (1..).zip(&listed) {
        let string = |key: &str| mutant[key].as_str().unwrap_or_default().to_owned();
        let file = string("file");
        let text = fs::read_to_string(from.join(&file))?;
        let offset = |end: &str| {
            let place = &mutant["span"][end];
            let number = |key: &str| place[key].as_u64().expect("a number") as usize;
            offset(&text, number("line"), number("column"))
        };
        let replaces = offset("start")..offset("end");
        let (name, genre, replacement) = (string("name"), string("genre"), string("replacement"));
        mutants.insert(number, Mutant { name, file, genre, replaces, replacement });
    }
    Ok(mutants)
}

/// Lines and columns count from 1, columns in characters.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    text[start..].char_indices().nth(column - 1).map_or(text.len(), |(at, _)| start + at)
}

/// Mutants that get no switch.
#[derive(Default)]
struct LeftOut {
    /// Those whose own text is in error.
    not_viable: BTreeSet<u32>,
    /// Those whose switch is in error, and why: whether they compile alone is not known.
    alone: BTreeMap<u32, String>,
    /// Functions that are called where the program is built, and stay `const` with all mutants in them.
    stay_const: Vec<String>,
}

impl LeftOut {
    fn has(&self, mutant: u32) -> bool {
        self.not_viable.contains(&mutant) || self.alone.contains_key(&mutant)
    }

    /// Leaves out what the compiler complains of; `false` if it does not.
    fn learn(
        &mut self,
        messages: &[Value],
        rewritten: &BTreeMap<&str, Rewritten>,
    ) -> Result<bool, Box<dyn Error>> {
        let known = |out: &Self| out.not_viable.len() + out.alone.len() + out.stay_const.len();
        let (mut errors, before) = (0, known(self));
        for message in messages.iter().map(|message| &message["message"]) {
            let is_summary = message["spans"].as_array().is_none_or(Vec::is_empty);
            if message["level"] == "error" && !is_summary {
                errors += 1;
                if !self.blame(message, rewritten) {
                    return Err(message["rendered"].as_str().unwrap_or("an error").into());
                }
            }
        }
        if errors > 0 && known(self) == before {
            return Err("the same errors again".into());
        }
        Ok(errors > 0)
    }

    /// Finds the mutant that an error is of. `false`: it is of none.
    fn blame(&mut self, message: &Value, rewritten: &BTreeMap<&str, Rewritten>) -> bool {
        let text = message["message"].as_str().unwrap_or_default();
        if message["code"]["code"] == "E0015" {
            // "cannot call non-const method `slots::Slot::index` in constant functions"
            let path = text.split('`').nth(1).unwrap_or_default();
            let name = path.rsplit("::").find(|part| !part.starts_with('<')).unwrap_or_default();
            self.stay_const.push(name.to_owned());
            return true;
        }
        let spans = message["spans"].as_array().expect("it is an array");
        for span in spans.iter().filter(|span| span["is_primary"] == true) {
            let place = |key: &str| span[key].as_u64().unwrap_or_default() as usize;
            let bytes = place("byte_start")..place("byte_end");
            let file = span["file_name"].as_str().unwrap_or_default();
            let Some(new) = rewritten.get(file) else { continue };
            let arms = innermost(&new.arms, &bytes);
            let switched = innermost(&new.switches, &bytes);
            if !arms.is_empty() {
                self.not_viable.extend(arms);
                return true;
            }
            if !switched.is_empty() {
                self.alone.extend(switched.into_iter().map(|mutant| (mutant, text.to_owned())));
                return true;
            }
        }
        false
    }
}

/// The mutants of the smallest place that has all of `bytes` in it.
fn innermost(places: &[Place], bytes: &Range<usize>) -> Vec<u32> {
    let holds = |place: &&Place| place.bytes.start <= bytes.start && bytes.end <= place.bytes.end;
    let least = places.iter().filter(holds).map(|place| place.bytes.len()).min();
    let is_least = |place: &&Place| Some(place.bytes.len()) == least;
    places.iter().filter(holds).filter(is_least).map(|place| place.mutant).collect()
}

/// What cargo says of the tests of the copy, message by message.
pub fn cargo(tree: &Path, command: &str) -> Result<Vec<Value>, Box<dyn Error>> {
    let output = Command::new("cargo")
        .args(command.split(' '))
        .args(TESTS.split(' ').filter(|word| !word.is_empty()))
        .current_dir(tree)
        // One build for all may take its time.
        .env("CARGO_PROFILE_MUTANTS_OPT_LEVEL", "2")
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The test programs that cargo's messages tell of, and where they run.
pub fn programs(messages: &[Value]) -> Vec<Value> {
    let program = |message: &Value| {
        let path = message["executable"].as_str()?;
        let directory = Path::new(message["manifest_path"].as_str()?).parent()?;
        (message["profile"]["test"] == true)
            .then(|| json!({ "path": path, "directory": directory }))
    };
    messages.iter().filter_map(program).collect()
}

fn output(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    let failed = || format!("failed: {command:?}").into();
    output.status.success().then_some(output.stdout).ok_or_else(failed)
}
