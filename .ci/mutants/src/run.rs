//! Runs the tests against one mutant after the other, in an order that a seed draws.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    error::Error,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::build::{ALONE, STATE, cargo, programs};

/// The memory that a test may have, in KiB.
const MEMORY_KIB: u64 = 4 << 20;
/// What a mutant that was built alone is called if it does not compile.
const NOT_VIABLE: &str = "not viable";
/// The number of no mutant: every switch that is come by is noted.
const TRACE: &str = "4294967295";

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Passed,
    Failed,
    /// It took four times as much as without a mutant, and 4 s.
    Endless,
}

#[derive(Clone)]
struct Test {
    program: PathBuf,
    directory: PathBuf,
    name: String,
    /// It catches panics by itself.
    may_panic: bool,
    /// Processor time without a mutant, in s.
    cpu_s: f64,
    /// The first mutants of the switches that it comes by.
    reached: BTreeSet<u32>,
}

/// Tries mutants by the tests of at most `test_s` of processor time each, until all are tried or `seconds` are
/// over.
pub fn run(tree: &Path, seed: u64, seconds: u64, test_s: f64) -> Result<(), Box<dyn Error>> {
    let state: Value = serde_json::from_slice(&fs::read(tree.join(STATE))?)?;
    let mutants = state["mutants"].as_array().expect("a list");
    let count = |class: &str| mutants.iter().filter(|mutant| mutant["class"] == class).count();
    println!(
        "{} mutants: {} behind switches, {} do not compile, {} to be tried alone",
        mutants.len(),
        count("switched"),
        count("not viable"),
        count("alone")
    );
    let mut tests = tests(tree, &state)?;
    tests.retain(|test| test.cpu_s <= test_s);
    let cpu_s: f64 = tests.iter().map(|test| test.cpu_s).sum();
    println!("{} tests, {cpu_s:.1} s of processor time", tests.len());

    let log = tree.join("log.tsv");
    let before = fs::read_to_string(&log).unwrap_or_default();
    let mut outcomes: BTreeMap<&str, &str> = before.lines().filter_map(logged).collect();
    let mut log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut order: Vec<&Value> = mutants.iter().collect();
    shuffle(&mut order, seed);
    let mut experience = Experience::default();
    let began = Instant::now();
    // Those with a build each come last.
    order.retain(|mutant| mutant["class"] != "not viable");
    order.sort_by_key(|mutant| mutant["class"] == "alone");
    let mut alone = None;
    for mutant in order {
        let name = mutant["name"].as_str().expect("a name");
        if outcomes.contains_key(name) {
            continue;
        }
        if began.elapsed().as_secs() >= seconds {
            break;
        }
        let started = Instant::now();
        let (outcome, killer) = if mutant["class"] == "switched" {
            experience.try_mutant(mutant, &tests)?
        } else {
            if alone.is_none() {
                alone = Some(Alone::new(tree, &tests)?);
            }
            alone.as_ref().expect("it was just made").try_mutant(mutant)?
        };
        let took_s = started.elapsed().as_secs_f64();
        writeln!(log, "{outcome}\t{killer}\t{took_s:.2}\t{name}")?;
        outcomes.insert(name, outcome);
    }
    for outcome in ["killed", "endless", "missed", "not reached", NOT_VIABLE] {
        println!("{outcome}: {}", outcomes.values().filter(|&&one| one == outcome).count());
    }
    Ok(())
}

/// Name and outcome of a line of the log.
fn logged(line: &str) -> Option<(&str, &str)> {
    let mut columns = line.split('\t');
    let outcome = columns.next()?;
    Some((columns.nth(2)?, outcome))
}

/// How many mutants a test has killed, and how many it was run against.
#[derive(Clone, Copy, Default)]
struct Score {
    killed: f64,
    ran: f64,
}

/// What tests have killed so far, in all and of each file: who kills most in the least time goes first.
#[derive(Default)]
struct Experience {
    of_test: HashMap<usize, Score>,
    in_file: HashMap<(usize, String), Score>,
}

impl Experience {
    /// How many mutants of this file the test kills in a second, as far as is known.
    fn worth(&self, index: usize, test: &Test, file: &str) -> f64 {
        let all = self.of_test.get(&index).copied().unwrap_or_default();
        let here = self.in_file.get(&(index, file.to_owned())).copied().unwrap_or_default();
        let overall = (all.killed + 0.3) / (all.ran + 1.0);
        (here.killed + overall * 2.0) / (here.ran + 2.0) / (test.cpu_s + 0.01)
    }

    fn learn(&mut self, index: usize, file: &str, is_killed: bool) {
        let all = self.of_test.entry(index).or_default();
        let here = self.in_file.entry((index, file.to_owned())).or_default();
        for score in [all, here] {
            score.killed += f64::from(u8::from(is_killed));
            score.ran += 1.0;
        }
    }

    /// What becomes of a mutant, and by which test.
    fn try_mutant<'t>(
        &mut self,
        mutant: &Value,
        tests: &'t [Test],
    ) -> Result<(&'static str, &'t str), Box<dyn Error>> {
        let number = |key: &str| mutant[key].as_u64().expect("a number") as u32;
        let file = mutant["file"].as_str().expect("a name");
        let mut left: Vec<usize> = (0..tests.len()).collect();
        left.retain(|&index| tests[index].reached.contains(&number("switch")));
        if left.is_empty() {
            return Ok(("not reached", ""));
        }
        let worth = |&index: &usize| self.worth(index, &tests[index], file);
        left.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
        for index in left {
            let test = &tests[index];
            let outcome = test.run(&[("MUTANT", &number("number").to_string())])?;
            self.learn(index, file, outcome != Outcome::Passed);
            match outcome {
                Outcome::Passed => {}
                Outcome::Failed => return Ok(("killed", &test.name)),
                Outcome::Endless => return Ok(("endless", &test.name)),
            }
        }
        Ok(("missed", ""))
    }
}

/// Mutants that have a build each, in a copy of the tree without switches.
struct Alone<'t> {
    tree: PathBuf,
    /// The quickest first: there is nothing else to go by.
    tests: Vec<&'t Test>,
}

impl<'t> Alone<'t> {
    fn new(tree: &Path, tests: &'t [Test]) -> Result<Self, Box<dyn Error>> {
        let mut tests: Vec<&Test> = tests.iter().collect();
        tests.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
        let alone = Self { tree: tree.join(ALONE), tests };
        match alone.outcome()? {
            ("missed", _) => Ok(alone),
            (_, test) => Err(format!("alone and without a mutant it fails: {test}").into()),
        }
    }

    fn try_mutant(&self, mutant: &Value) -> Result<(&'static str, &'t str), Box<dyn Error>> {
        let text = |key: &str| mutant[key].as_str().expect("a string");
        let at = |key: &str| mutant[key].as_u64().expect("a number") as usize;
        let file = self.tree.join(text("file"));
        let source = fs::read_to_string(&file)?;
        let mut mutated = source.clone();
        mutated.replace_range(at("start")..at("end"), text("replacement"));
        fs::write(&file, mutated)?;
        let outcome = self.outcome();
        fs::write(&file, source)?;
        outcome
    }

    /// What becomes of the tree as it is now, and by which test.
    fn outcome(&self) -> Result<(&'static str, &'t str), Box<dyn Error>> {
        let messages = cargo(&self.tree, "test --no-run")?;
        if !messages.iter().any(|message| message["success"] == true) {
            return Ok((NOT_VIABLE, ""));
        }
        let programs = programs(&messages);
        for &test in &self.tests {
            let is_own = |one: &&Value| target(&path(one, "path")) == target(&test.program);
            let own = programs.iter().find(is_own);
            let own = own.ok_or_else(|| format!("{} has no program", test.name))?;
            let (program, directory) = (path(own, "path"), path(own, "directory"));
            match (Test { program, directory, ..test.clone() }).run(&[])? {
                Outcome::Passed => {}
                Outcome::Failed => return Ok(("killed", &test.name)),
                Outcome::Endless => return Ok(("endless", &test.name)),
            }
        }
        Ok(("missed", ""))
    }
}

/// A path that the build noted.
fn path(program: &Value, key: &str) -> PathBuf {
    PathBuf::from(program[key].as_str().expect("a path"))
}

/// What cargo calls what it built, before the hash.
fn target(program: &Path) -> Option<&str> {
    program.file_stem()?.to_str()?.rsplit_once('-').map(|(target, _)| target)
}

/// Every test, run without a mutant, which it must pass.
fn tests(tree: &Path, state: &Value) -> Result<Vec<Test>, Box<dyn Error>> {
    let reached = tree.canonicalize()?.join("reached");
    let traced = [("MUTANT", TRACE), ("MUTANT_REACHED", reached.to_str().expect("UTF-8"))];
    let mut tests = Vec::new();
    for program in state["programs"].as_array().expect("a list") {
        let list =
            Command::new(path(program, "path")).args(["--list", "--format", "terse"]).output()?;
        let list = String::from_utf8(list.stdout)?;
        for name in list.lines().filter_map(|line| line.strip_suffix(": test")) {
            let mut test = Test {
                program: path(program, "path"),
                directory: path(program, "directory"),
                name: name.to_owned(),
                may_panic: false,
                cpu_s: 60.0,
                reached: BTreeSet::new(),
            };
            let before_s = children_cpu_s()?;
            if test.run(&traced)? != Outcome::Passed {
                test.may_panic = true;
                if test.run(&traced)? != Outcome::Passed {
                    return Err(format!("{name} fails without a mutant").into());
                }
            }
            test.cpu_s = children_cpu_s()? - before_s;
            let is_reached = fs::read(&reached)?;
            test.reached = (0..).zip(is_reached).filter(|it| it.1 == 1).map(|it| it.0).collect();
            tests.push(test);
        }
    }
    Ok(tests)
}

impl Test {
    fn run(&self, environment: &[(&str, &str)]) -> Result<Outcome, Box<dyn Error>> {
        let limit_s = (self.cpu_s * 4.0 + 4.0).ceil();
        let script = "ulimit -c 0 && ulimit -v $1 && ulimit -t $2 && shift 2 && exec \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh", &MEMORY_KIB.to_string(), &limit_s.to_string()])
            .arg(&self.program)
            .args(["--exact", &self.name, "--test-threads", "1"])
            .envs(environment.iter().copied())
            .env("SS_MODEL_CASES", "4000")
            // What the engine said is compared, and nothing is written or looked for.
            .env("INSTA_UPDATE", "no")
            .env("INSTA_WORKSPACE_ROOT", self.directory.parent().unwrap_or(&self.directory))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.may_panic {
            command.env("MUTANT_MAY_PANIC", "1");
        }
        let started = Instant::now();
        let mut child = command.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                // The limit on processor time: SIGXCPU, and SIGKILL a second later.
                let is_endless = matches!(status.signal(), Some(24 | 9));
                return Ok(match status.success() {
                    true => Outcome::Passed,
                    false if is_endless => Outcome::Endless,
                    false => Outcome::Failed,
                });
            }
            // It may sleep, or wait for itself.
            if started.elapsed() > Duration::from_secs_f64(limit_s * 3.0 + 20.0) {
                child.kill()?;
                child.wait()?;
                return Ok(Outcome::Endless);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Processor time of the children that have ended, from the fields 16 and 17 of `proc_pid_stat(5)`.
fn children_cpu_s() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// The shuffle of Fisher and Yates, by SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for at in (1..items.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        items.swap(at, ((z ^ (z >> 31)) % (at as u64 + 1)) as usize);
    }
}
