//! The device link: an actuator is sent anything, in pieces, with pauses, and answers in lines only. With
//! a key it obeys nothing of all that, whatever is made of what was said with the key before.
#![no_main]

use core::cell::{Cell, RefCell};
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use libfuzzer_sys::fuzz_target;
use mtom_device::actuator::{Actuator, Forgetful, Pin};
use mtom_device::settings::Settings;
use mtom_protocol::link::keyed::{Hello, Key, Nonce, Seal};
use mtom_protocol::link::{LINE_LEN_MAX, Led, Report, Request};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    static DRAWN: Cell<u8> = const { Cell::new(0) };
}

/// What arrives: after so many milliseconds, these bytes.
type Pieces = Vec<(u16, Vec<u8>)>;

fuzz_target!(|pieces: Pieces| {
    for (_, bytes) in &pieces {
        if let Ok(request) = Request::parse(bytes) {
            assert_eq!(Request::parse(request.to_string().as_bytes()), Ok(request));
        }
        if let Ok(report) = Report::parse(bytes) {
            assert_eq!(Report::parse(report.to_string().as_bytes()), Ok(report));
        }
    }
    keyed(&pieces);
    let said = RefCell::new(Vec::new());
    let work = async {
        let actuator = Actuator::new(&Settings::default(), 0, Lamp(None), Forgetful, || None);
        actuator.serve(Arriving::new(pieces), Leaving(&said)).await;
    };
    RUNTIME.with(|runtime| runtime.block_on(mtom_time::run(work)));
    check(&said.borrow());
});

/// No two alike within 256, and each can be foretold here.
fn draw() -> Option<Nonce> {
    Some(Nonce([DRAWN.replace(DRAWN.get().wrapping_add(1)); 16]))
}

/// A short conversation with the key: hello, on, how are you, off.
fn conversation(key: &Key) -> Vec<String> {
    let hello = Hello(Nonce([0xee; 16]));
    let welcome = Seal::welcoming(key, hello, Nonce([DRAWN.get(); 16])).1.to_string();
    let mut seal = Seal::welcomed(key, hello, welcome.as_bytes()).expect("the same key");
    let mut lines = vec![format!("{hello}\n")];
    for text in ["h 1", "?", "c 2"] {
        let mut line = String::new();
        seal.seal(text, &mut line).expect("the first lines");
        lines.push(line + "\n");
    }
    lines
}

/// What was said before, as the bytes want it changed.
fn changed(lines: &[String], bytes: &[u8]) -> Vec<u8> {
    let [line, at, how, rest @ ..] = bytes else { return Vec::new() };
    let mut line = lines[usize::from(*line) % lines.len()].clone().into_bytes();
    let at = usize::from(*at) % (line.len() + 1);
    match how % 3 {
        0 => line.truncate(at),
        1 => drop(line.splice(at..at, rest.iter().copied())),
        _ => line.iter_mut().skip(at).zip(rest).for_each(|(old, new)| *old ^= new),
    }
    line
}

/// A device with a key has its conversation, and then hears everybody else.
fn keyed(pieces: &Pieces) {
    let key = Key::new([7; 32]);
    let lines = conversation(&key);
    let mut all: Pieces = lines.iter().map(|line| (0, line.clone().into_bytes())).collect();
    for (pause, bytes) in pieces {
        all.push((*pause, changed(&lines, bytes)));
        all.push((0, bytes.clone()));
    }
    let (said, told) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let settings = Settings { key: Some(key), lease_millis: 0, ..Settings::default() };
    let work = async {
        let actuator = Actuator::new(&settings, 0, Watched(&told), Forgetful, draw);
        actuator.serve(Arriving::new(all), Leaving(&said)).await;
    };
    RUNTIME.with(|runtime| runtime.block_on(mtom_time::run(work)));
    assert_eq!(*told.borrow(), [Led::Off, Led::On, Led::Off]);
    let said = said.borrow();
    let answers = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let told = answers.filter(|line| !line.starts_with(b"! ") && !line.starts_with(b"# "));
    assert_eq!(told.count(), 3, "only what was asked with the key is answered");
}

/// Every state that the LED was put into.
struct Watched<'a>(&'a RefCell<Vec<Led>>);

impl Pin for Watched<'_> {
    fn set(&mut self, led: Led) {
        self.0.borrow_mut().push(led);
    }
}

/// Whole lines, each of them a report, and the number of the last command never falls.
fn check(said: &[u8]) {
    assert!(said.is_empty() || said.ends_with(b"\n"));
    let mut last = 0;
    for line in said.split_inclusive(|byte| *byte == b'\n') {
        assert!(line.len() <= LINE_LEN_MAX && line.is_ascii());
        let line = line.strip_suffix(b"\n").expect("split at newlines");
        let number = match Report::parse(line).expect("an actuator says reports") {
            Report::Applied { number, .. } | Report::State { number, .. } => number,
            Report::Refused { .. } => continue,
        };
        assert!(number >= last);
        last = number;
    }
}

/// Is set at the start, and then only when something changes.
struct Lamp(Option<Led>);

impl Pin for Lamp {
    fn set(&mut self, led: Led) {
        assert_ne!(self.0, Some(led));
        self.0 = Some(led);
    }
}

struct Arriving {
    pieces: std::vec::IntoIter<(u16, Vec<u8>)>,
    /// The piece that comes next, as far as it has not been read, and when.
    next: Option<(Instant, Vec<u8>)>,
}

impl Arriving {
    fn new(pieces: Pieces) -> Self {
        Self { pieces: pieces.into_iter(), next: None }
    }
}

impl ErrorType for Arriving {
    type Error = ErrorKind;
}

impl Read for Arriving {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        loop {
            let Some((at, piece)) = &mut self.next else {
                let Some((millis, piece)) = self.pieces.next() else { return Ok(0) };
                self.next = Some((Instant::now() + Duration::from_millis(millis.into()), piece));
                continue;
            };
            // A read that is given up here is taken up again with the same piece.
            Timer::at(*at).await;
            let len = piece.len().min(bytes.len());
            bytes[..len].copy_from_slice(&piece[..len]);
            piece.drain(..len);
            if piece.is_empty() {
                self.next = None;
            }
            if len > 0 {
                return Ok(len);
            }
        }
    }
}

struct Leaving<'a>(&'a RefCell<Vec<u8>>);

impl ErrorType for Leaving<'_> {
    type Error = ErrorKind;
}

impl Write for Leaving<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
