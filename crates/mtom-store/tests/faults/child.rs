//! The process that is cut off, killed and lied to: this same test binary, run again.
//!
//! What it says goes line by line into a file of its own, each line one `write`, so that a tracer
//! sees it in its place between the writes to the database, and a kill loses none.

use crate::plan::{Item, Plan, Size, Step};
use mtom_store::error::StoreError;
use mtom_store::journal::Journal;
use mtom_store::record::{CommandRecord, Reject};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, exit};

/// What a child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Opened,
    /// Why the journal did not open.
    Refused(String),
    Sent(usize),
    /// Written, not synced: it must survive the process but not the power.
    Written(usize),
    /// Safe, it was told.
    Acked(usize),
    /// Refused with a reason, so nothing of it may be stored.
    Failed(usize, String),
    /// Command numbers up to this one are used.
    Reserved(u64),
    /// A sync failed: only the next process can tell.
    Unsynced,
    Closed,
}

impl Said {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "opened" => Self::Opened,
            "refused" => Self::Refused(rest.to_owned()),
            "sent" => Self::Sent(rest.parse().ok()?),
            "written" => Self::Written(rest.parse().ok()?),
            "acked" => Self::Acked(rest.parse().ok()?),
            "failed" => {
                let (batch, why) = rest.split_once(' ')?;
                Self::Failed(batch.parse().ok()?, why.to_owned())
            }
            "reserved" => Self::Reserved(rest.parse().ok()?),
            "unsynced" => Self::Unsynced,
            "closed" => Self::Closed,
            _ => return None,
        })
    }
}

/// Which part of which plan a child has to run, and where.
pub(crate) struct Task<'a> {
    pub(crate) seed: u64,
    pub(crate) size: &'a Size,
    pub(crate) life: usize,
    pub(crate) database: &'a Path,
    pub(crate) said: &'a Path,
}

impl Task<'_> {
    /// The child's command line goes behind `wrapper`, which may be a tracer.
    pub(crate) fn command(&self, wrapper: &[String]) -> Command {
        let this = std::env::current_exe().unwrap();
        let mut command = match wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
            None => Command::new(this),
        };
        let Size { lives, steps, rule_state_len } = self.size;
        command
            .args(["--exact", "child::the_child", "--ignored", "--nocapture", "-q"])
            .env(
                "MTOM_FAULTS_TASK",
                format!("{} {lives} {steps} {rule_state_len} {}", self.seed, self.life),
            )
            .env("MTOM_FAULTS_DATABASE", self.database)
            .env("MTOM_FAULTS_SAID", self.said)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command
    }
}

/// What children have said so far.
pub(crate) fn said(path: &Path) -> Vec<Said> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| Said::parse(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
}

#[test]
#[ignore = "the other tests run it as their child"]
fn the_child() {
    let Ok(task) = std::env::var("MTOM_FAULTS_TASK") else { return };
    let numbers: Vec<u64> = task.split(' ').map(|number| number.parse().unwrap()).collect();
    let [seed, lives, steps, rule_state_len, life] = numbers[..] else { panic!("{task}") };
    let index = |number: u64| usize::try_from(number).unwrap();
    let size =
        Size { lives: index(lives), steps: index(steps), rule_state_len: index(rule_state_len) };
    let plan = Plan::of(seed, &size);
    let path = std::env::var_os("MTOM_FAULTS_SAID").unwrap();
    let said = OpenOptions::new().append(true).create(true).open(path).unwrap();
    let database = std::env::var_os("MTOM_FAULTS_DATABASE").unwrap();
    let child = Child { plan: &plan, said, numbers: 0..0, unsynced: Vec::new() };
    exit(child.live(index(life), Path::new(&database)));
}

struct Child<'p> {
    plan: &'p Plan,
    said: File,
    numbers: Range<u64>,
    /// Written and not yet covered by a sync.
    unsynced: Vec<usize>,
}

impl Child<'_> {
    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        self.said.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn live(mut self, life: usize, database: &Path) -> i32 {
        let life = &self.plan.lives[life];
        let mut journal = match Journal::open(database, crate::plan::START) {
            Ok(journal) => journal,
            Err(error) => {
                self.say(format_args!("refused {}", in_full(&error)));
                return 2;
            }
        };
        self.say(format_args!("opened"));
        for step in &life.steps {
            if let Err(StoreError::Unsynced(_)) = self.step(&mut journal, *step) {
                self.say(format_args!("unsynced"));
                return 3;
            }
        }
        if !life.is_closed {
            // Without a destructor: what is left is what a killed process leaves.
            exit(0);
        }
        drop(journal);
        self.say(format_args!("closed"));
        0
    }

    fn step(&mut self, journal: &mut Journal, step: Step) -> Result<(), StoreError> {
        match step {
            Step::Reserve(count) => {
                self.reserve(journal, count)?;
                // The sync covered all that was written before.
                self.acknowledge();
            }
            Step::Undo(batch) => {
                self.say(format_args!("sent {batch}"));
                let _ = self.fill(journal, batch, false)?;
            }
            Step::Write(batch) | Step::Commit(batch) => {
                if self.numbers.is_empty() {
                    // An error is that of a disk which has another chance with the batch itself.
                    match self.reserve(journal, 20) {
                        Err(error @ StoreError::Unsynced(_)) => return Err(error),
                        Ok(()) => self.acknowledge(),
                        Err(_) => {}
                    }
                }
                self.say(format_args!("sent {batch}"));
                if self.fill(journal, batch, true)? && matches!(step, Step::Commit(_)) {
                    journal.sync()?;
                    self.acknowledge();
                }
            }
        }
        Ok(())
    }

    fn reserve(&mut self, journal: &mut Journal, count: u64) -> Result<(), StoreError> {
        match journal.reserve_command_numbers(count) {
            Ok(numbers) => {
                self.say(format_args!("reserved {}", numbers.end - 1));
                self.numbers = numbers;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Everything written is on the disk now.
    fn acknowledge(&mut self) {
        for batch in std::mem::take(&mut self.unsynced) {
            self.say(format_args!("acked {batch}"));
        }
    }

    /// Whether the batch is written now.
    fn fill(
        &mut self,
        journal: &mut Journal,
        number: usize,
        keeps: bool,
    ) -> Result<bool, StoreError> {
        match self.try_fill(journal, number, keeps) {
            Ok(()) if keeps => {
                self.say(format_args!("written {number}"));
                self.unsynced.push(number);
                Ok(true)
            }
            Ok(()) => Ok(false),
            Err(error @ StoreError::Unsynced(_)) => Err(error),
            Err(error) => {
                self.say(format_args!("failed {number} {}", in_full(&error)));
                Ok(false)
            }
        }
    }

    fn try_fill(
        &mut self,
        journal: &mut Journal,
        number: usize,
        keeps: bool,
    ) -> Result<(), StoreError> {
        let planned = &self.plan.batches[number];
        let mut batch = journal.begin()?;
        for item in &planned.items {
            match item {
                Item::Reading(reading) => {
                    batch.reading(reading, planned.arrived_at)?;
                }
                Item::Reject(reason) => {
                    batch.reject(&Reject {
                        topic: "planned",
                        payload: b"\0not a reading",
                        code: "planned",
                        reason,
                        arrived_at: planned.arrived_at,
                    })?;
                }
                Item::RuleState(state) => batch.rule_state("rule", state)?,
                Item::Command => {
                    // Without a number there is no decision, as in the gateway.
                    let Some(number) = self.numbers.next() else { return Err(StoreError::Broken) };
                    batch.command(&CommandRecord {
                        number,
                        actuator: "led".into(),
                        on: true,
                        rule: "rule".into(),
                        rule_version: None,
                        reading: None,
                        cause: "planned".into(),
                        condition: None,
                        decided_at: planned.arrived_at,
                    })?;
                }
            }
        }
        if !keeps {
            return Ok(());
        }
        batch.write_ahead(planned.items.iter().any(|item| matches!(item, Item::Command)))?;
        journal.sum_up();
        Ok(())
    }
}

/// An error with its causes, in one line.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text.replace('\n', " ")
}
