//! Takes the elements of a JSON array out of a stream, one at a time.
//!
//! Knows of JSON only what separates elements: brackets, commas and texts. An element that is too long is passed
//! over without taking memory, up to the next `{`.

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
    /// Behind an element that was too long.
    Lost,
    Over,
}

/// How an element ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Comma,
    Bracket,
    Eof,
    /// Not within the length that is looked at.
    Lost,
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
                        self.state = State::Over;
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
            End::Comma | End::Bracket | End::Lost => None,
        };
        Ok(Some((is_first, wrong)))
    }

    fn take_element(&mut self) -> io::Result<End> {
        self.element.clear();
        self.is_too_long = false;
        let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(End::Eof);
            }
            let end = buffer.iter().position(|&byte| {
                if is_text {
                    // A text has no line breaks: one that seems to has lost its quote.
                    is_text = (byte != b'"' || is_escaped) && byte != b'\n';
                    is_escaped = byte == b'\\' && !is_escaped;
                    return false;
                }
                match byte {
                    b'"' => (is_text, is_escaped) = (true, false),
                    b',' | b']' if depth == 0 => return true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                false
            });
            let taken = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = LINE_LEN_MAX - self.element.len();
            self.element.extend_from_slice(taken.get(..room).unwrap_or(taken));
            let is_too_long = taken.len() > room;
            let last = end.and_then(|end| buffer.get(end)).copied();
            let len = taken.len() + usize::from(last.is_some());
            self.source.consume(len);
            self.is_too_long |= is_too_long;
            match last {
                Some(b',') => return Ok(End::Comma),
                Some(_) => return Ok(End::Bracket),
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
