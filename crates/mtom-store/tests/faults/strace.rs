//! What a process does to files, as `strace` saw it.

use crate::child::Said;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every way to change a file or to make a change last that Linux has and anybody here may use.
const CALLS: &str = "?open,?creat,openat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,\
    copy_file_range,sendfile,splice,fallocate,ftruncate,truncate,fsync,fdatasync,sync_file_range,\
    ?rename,renameat,?renameat2,?unlink,unlinkat,?link,linkat,dup,?dup2,dup3";

/// One thing that happened, in order.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// The name now stands for a new, empty file.
    Create {
        path: PathBuf,
    },
    Write {
        path: PathBuf,
        offset: u64,
        data: Vec<u8>,
    },
    SetLen {
        path: PathBuf,
        len: u64,
    },
    /// Of a file or a folder.
    Sync {
        path: PathBuf,
        is_own: bool,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    Said(Said),
}

/// Whether processes can be traced here; the reason why not.
pub(crate) fn is_missing() -> Option<String> {
    let probe = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "strace may not trace here: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("strace: {error} (apt-get install strace)")),
    }
}

/// What to put before a command so that it is recorded in `log`.
pub(crate) fn recorder(log: &Path) -> Vec<String> {
    let trace = format!("trace={CALLS}");
    ["strace", "-f", "-y", "-qq", "-X", "raw", "-xx", "-s", "16777216", "-e", "signal=none", "-e"]
        .into_iter()
        .chain([&*trace, "-o", log.to_str().unwrap()])
        .map(str::to_owned)
        .collect()
}

/// An open file of the traced process.
struct Open {
    position: u64,
    appends: bool,
    /// Opened by mtom itself and not by SQLite, which always opens for reading too.
    is_own: bool,
}

/// What happened so far, over several processes.
#[derive(Default)]
pub(crate) struct Recording {
    pub(crate) ops: Vec<Op>,
    /// How long each file is, for what is written at its end.
    lens: HashMap<PathBuf, u64>,
}

/// Adds a log: what happened in `folder`, and what was said into `said`.
pub(crate) fn read(log: &Path, folder: &Path, said: &Path, recording: &mut Recording) {
    let text = std::fs::read_to_string(log).unwrap();
    let mut reader = Reader { folder, said, open: HashMap::new(), recording };
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    for line in text.lines() {
        let (pid, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, begun);
        } else if let Some((_, ended)) = call.split_once(" resumed>") {
            let begun = unfinished.remove(pid).unwrap();
            reader.call(&format!("{begun}{ended}"));
        } else {
            reader.call(call);
        }
    }
}

struct Reader<'a> {
    folder: &'a Path,
    said: &'a Path,
    open: HashMap<u64, Open>,
    recording: &'a mut Recording,
}

impl Reader<'_> {
    fn call(&mut self, line: &str) {
        let Some((name, rest)) = line.split_once('(') else { return };
        // Behind the last text: searching through megabytes of digits takes its time.
        let tail = rest.rfind('"').unwrap_or(0);
        let Some(end) = rest[tail..].rfind(" = ") else { return };
        let (arguments, result) = rest.split_at(tail + end);
        let result = &result[" = ".len()..];
        let arguments = Argument::all(arguments.trim_end().strip_suffix(')').unwrap());
        let Some(result) = Argument::parse(result).number else { return };
        if result < 0 {
            return;
        }
        let result = result.unsigned_abs();
        match name {
            "openat" => self.opened(&arguments[1..], result),
            "open" | "creat" => self.opened(&arguments, result),
            "close" => {
                self.open.remove(&arguments[0].unsigned());
            }
            "rename" => self.renamed(&arguments[0], &arguments[1]),
            "renameat" | "renameat2" => self.renamed(&arguments[1], &arguments[3]),
            "unlink" => self.unlinked(&arguments[0]),
            "unlinkat" => self.unlinked(&arguments[1]),
            _ => self.on_file(name, &arguments, result),
        }
    }

    fn is_ours(&self, path: &Path) -> bool {
        path.starts_with(self.folder) && !path.to_string_lossy().ends_with("-shm")
    }

    fn opened(&mut self, arguments: &[Argument<'_>], descriptor: u64) {
        const O_WRONLY: u64 = 0o1;
        const O_CREAT: u64 = 0o100;
        const O_TRUNC: u64 = 0o1000;
        const O_APPEND: u64 = 0o2000;
        const O_DIRECTORY: u64 = 0o200_000;
        let path = arguments[0].text();
        let flags = arguments[1].unsigned();
        let open = Open {
            position: 0,
            appends: flags & O_APPEND > 0,
            is_own: flags & (O_WRONLY | O_CREAT) == O_WRONLY,
        };
        self.open.insert(descriptor, open);
        if !self.is_ours(&path) || path == self.folder || flags & O_DIRECTORY > 0 {
            return;
        }
        if !self.recording.lens.contains_key(&path) && flags & O_CREAT > 0 {
            self.recording.lens.insert(path.clone(), 0);
            self.recording.ops.push(Op::Create { path });
        } else if flags & O_TRUNC > 0 {
            self.recording.lens.insert(path.clone(), 0);
            self.recording.ops.push(Op::SetLen { path, len: 0 });
        }
    }

    fn renamed(&mut self, from: &Argument<'_>, to: &Argument<'_>) {
        let (from, to) = (from.text(), to.text());
        if self.is_ours(&from) {
            let len = self.recording.lens.remove(&from).unwrap();
            self.recording.lens.insert(to.clone(), len);
            self.recording.ops.push(Op::Rename { from, to });
        }
    }

    fn unlinked(&mut self, path: &Argument<'_>) {
        let path = path.text();
        if self.is_ours(&path) {
            self.recording.lens.remove(&path);
            self.recording.ops.push(Op::Unlink { path });
        }
    }

    fn on_file(&mut self, name: &str, arguments: &[Argument<'_>], result: u64) {
        let Some(path) = &arguments[0].path else { return };
        let descriptor = arguments[0].unsigned();
        let path = path.clone();
        if path == self.said && name == "write" {
            let line = String::from_utf8(arguments[1].data()).unwrap();
            self.recording.ops.push(Op::Said(Said::parse(line.trim_end()).unwrap()));
        }
        let is_deleted = arguments[0].is_deleted;
        if !self.is_ours(&path) || is_deleted {
            return;
        }
        let open = self.open.get_mut(&descriptor);
        match name {
            "lseek" => open.unwrap().position = result,
            "write" => {
                let open = open.unwrap();
                let offset = if open.appends { self.recording.lens[&path] } else { open.position };
                open.position = offset + result;
                self.wrote(path, offset, &arguments[1], result);
            }
            "pwrite64" => self.wrote(path, arguments[3].unsigned(), &arguments[1], result),
            "ftruncate" => {
                let len = arguments[1].unsigned();
                self.recording.lens.insert(path.clone(), len);
                self.recording.ops.push(Op::SetLen { path, len });
            }
            "fsync" | "fdatasync" => {
                let is_own = open.is_some_and(|open| open.is_own);
                self.recording.ops.push(Op::Sync { path, is_own });
            }
            _ => panic!("{name} on {}: this model does not know it", path.display()),
        }
    }

    fn wrote(&mut self, path: PathBuf, offset: u64, data: &Argument<'_>, result: u64) {
        let mut data = data.data();
        data.truncate(usize::try_from(result).unwrap());
        let len = self.recording.lens.entry(path.clone()).or_default();
        *len = (*len).max(offset + result);
        self.recording.ops.push(Op::Write { path, offset, data });
    }
}

/// `-1`, `0x42`, `0644`, `3</a/file>(deleted)` or `"text"`, the texts in hexadecimal.
struct Argument<'l> {
    number: Option<i64>,
    path: Option<PathBuf>,
    is_deleted: bool,
    quoted: &'l str,
}

impl<'l> Argument<'l> {
    fn all(text: &'l str) -> Vec<Self> {
        let mut all = Vec::new();
        for (part, index) in text.split('"').zip(0..) {
            if index % 2 == 1 {
                all.push(Self { number: None, path: None, is_deleted: false, quoted: part });
            } else {
                let plain = part.split(", ").filter(|plain| !plain.trim().is_empty());
                all.extend(plain.map(Self::parse));
            }
        }
        all
    }

    /// One that is no text.
    fn parse(text: &'l str) -> Self {
        let text = text.trim();
        assert_ne!(text, "...", "strace cut a text off");
        let mut parsed = Self { number: None, path: None, is_deleted: false, quoted: "" };
        let (number, path) = text.split_once('<').map_or((text, None), |(n, p)| (n, Some(p)));
        let number = number.split(' ').next().unwrap_or_default();
        parsed.number = match number.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok().map(u64::cast_signed),
            None => number.parse().ok(),
        };
        if let Some((path, rest)) = path.and_then(|path| path.split_once('>')) {
            parsed.path = Some(String::from_utf8(bytes(path)).unwrap().into());
            parsed.is_deleted = rest.starts_with("(deleted)");
        }
        parsed
    }

    fn unsigned(&self) -> u64 {
        u64::try_from(self.number.unwrap()).unwrap()
    }

    fn data(&self) -> Vec<u8> {
        bytes(self.quoted)
    }

    fn text(&self) -> PathBuf {
        String::from_utf8(self.data()).unwrap().into()
    }
}

/// `\x68\x69` is `hi`; what stands without a backslash is itself.
fn bytes(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => panic!("{text:.80}: not in hexadecimal"),
    };
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len() / 4);
    for many in text.as_bytes().chunks(4 * 64) {
        let len = bytes.len() + many.len() / 4;
        for four in many.chunks_exact(4) {
            assert!(four.starts_with(b"\\x"), "{text:.80}: not in hexadecimal");
            let byte = digit(four[2]) << 4 | digit(four[3]);
            bytes.push(byte);
            // Most of a large file is one byte again and again.
            if many[4..] == many[..many.len() - 4] {
                bytes.resize(len, byte);
                break;
            }
        }
    }
    bytes
}
