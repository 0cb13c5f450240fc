//! Takes the elements of a JSON array out of a stream, one at a time.
//!
//! Knows of JSON only what separates elements: brackets, commas and texts. An element that is too long or does
//! not close is passed over without taking memory, up to the next `{`.

use crate::lines::{LINE_LEN_MAX, Source};
use crate::reader::too_long;
use crate::reason::Reason;
use std::io::{self, BufRead};

/// Elements of all the arrays of a stream.
pub(super) struct Elements {
    source: Source,
    element: Vec<u8>,
    is_too_long: bool,
    number: u64,
    state: State,
}

/// One element.
pub(super) struct Element<'a> {
    /// From 1.
    pub(super) number: u64,
    /// The first of its array: base values begin anew.
    pub(super) is_first: bool,
    pub(super) bytes: &'a [u8],
    /// Why it is none.
    pub(super) wrong: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,
    /// Behind `[`.
    First,
    /// Behind a comma.
    Next,
    /// Behind an element that did not close.
    Lost,
    Over,
}

/// How an element ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Comma,
    Bracket,
    Eof,
    /// Not at all: a quote, a bracket or a comma is missing, or it is too long.
    Lost,
}

/// What is open, byte by byte.
#[derive(Default)]
struct Open {
    brackets: usize,
    is_text: bool,
    is_escaped: bool,
    is_line_start: bool,
    is_blank: bool,
}

impl Open {
    fn step(&mut self, byte: u8) -> Option<End> {
        let is_line_start = std::mem::replace(&mut self.is_line_start, byte == b'\n');
        if self.is_text {
            if byte == b'\n' {
                // A text has no line breaks: this one has lost its quote.
                return Some(End::Lost);
            }
            self.is_text = byte != b'"' || self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return None;
        }
        match byte {
            b'"' => (self.is_text, self.is_escaped) = (true, false),
            b',' if self.brackets == 0 => return Some(End::Comma),
            b']' if self.brackets == 0 => return Some(End::Bracket),
            // We and many others begin each element on a line of its own; nothing inside one stands there.
            b'{' if is_line_start && !self.is_blank => return Some(End::Lost),
            b'{' | b'[' => self.brackets += 1,
            b'}' | b']' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.is_blank &= byte.is_ascii_whitespace();
        None
    }
}

impl Elements {
    pub(super) fn new(source: Source) -> Self {
        Self { source, element: Vec::new(), is_too_long: false, number: 0, state: State::Outside }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Element<'_>>> {
        loop {
            match self.state {
                State::Over => return Ok(None),
                State::Outside => match self.skip_until(|byte| !byte.is_ascii_whitespace())? {
                    None => self.state = State::Over,
                    Some(b'[') => {
                        self.source.consume(1);
                        self.state = State::First;
                    }
                    Some(_) => {
                        self.state = State::Lost;
                        self.element.clear();
                        let text = "text behind the array: expected its end or another array";
                        return Ok(Some(self.found(false, Some(Reason::new("not_json", text)))));
                    }
                },
                State::Lost => match self.skip_until(|byte| byte == b'{')? {
                    None => self.state = State::Over,
                    Some(_) => self.state = State::Next,
                },
                State::First | State::Next => {
                    if let Some((is_first, wrong)) = self.element()? {
                        return Ok(Some(self.found(is_first, wrong)));
                    }
                }
            }
        }
    }

    fn found(&mut self, is_first: bool, wrong: Option<Reason>) -> Element<'_> {
        self.number += 1;
        Element { number: self.number, is_first, bytes: self.element.trim_ascii(), wrong }
    }

    /// The next element, or nothing when the array ended.
    fn element(&mut self) -> io::Result<Option<(bool, Option<Reason>)>> {
        let is_first = self.state == State::First;
        let end = self.take_element()?;
        let is_blank = self.element.trim_ascii().is_empty();
        self.state = match end {
            End::Comma => State::Next,
            End::Bracket => State::Outside,
            End::Eof => State::Over,
            End::Lost => State::Lost,
        };
        let wrong = match end {
            _ if self.is_too_long => Some(too_long()),
            End::Eof => Some(Reason::new("not_json", "the array has no end: expected ]")),
            End::Bracket if is_blank && is_first => return Ok(None),
            _ if is_blank => Some(Reason::new("not_json", "nothing between commas")),
            End::Lost => Some(Reason::new("not_json", "a quote, a bracket or a comma is missing")),
            End::Comma | End::Bracket => None,
        };
        Ok(Some((is_first, wrong)))
    }

    fn take_element(&mut self) -> io::Result<End> {
        self.element.clear();
        self.is_too_long = false;
        let mut open = Open { is_blank: true, ..Open::default() };
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(End::Eof);
            }
            let mut end = None;
            let len = buffer.iter().position(|&byte| {
                end = open.step(byte);
                end.is_some()
            });
            let taken = buffer.get(..len.unwrap_or(buffer.len())).unwrap_or_default();
            let room = LINE_LEN_MAX - self.element.len();
            self.element.extend_from_slice(taken.get(..room).unwrap_or(taken));
            self.is_too_long |= taken.len() > room;
            let is_separated = matches!(end, Some(End::Comma | End::Bracket));
            let len = taken.len() + usize::from(is_separated);
            self.source.consume(len);
            match end {
                Some(end) => return Ok(end),
                None if self.is_too_long => return Ok(End::Lost),
                None => {}
            }
        }
    }

    /// Passes over bytes until one that `is_wanted`, which stays; `None` at the end.
    fn skip_until(&mut self, is_wanted: impl Fn(u8) -> bool) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let at = buffer.iter().position(|byte| is_wanted(*byte));
            let found = at.and_then(|at| buffer.get(at)).copied();
            let len = at.unwrap_or(buffer.len());
            self.source.consume(len);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}
