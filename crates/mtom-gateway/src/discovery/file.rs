//! The file of configs: one JSON object a line, in the order in which they were first heard, each with the names that
//! it got. A line that is none is left out.

use super::book::{Book, Line};
use mtom_protocol::discovery::place;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The file in the data folder.
pub(super) const FILE: &str = "discovered.jsonl";

/// Fills the book with what is in the file and was heard below `prefix`.
pub(super) fn read(path: &Path, prefix: &str, book: &mut Book) {
    let text = fs::read_to_string(path).unwrap_or_default();
    for line in text.lines() {
        let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line) else { continue };
        let said = |key: &str| object.get(key).and_then(Value::as_str);
        let (Some(topic), Some(config)) = (said("topic"), said("config")) else { continue };
        let names = object.get("names").and_then(Value::as_object);
        let names = names
            .into_iter()
            .flatten()
            .filter_map(|(key, name)| Some((key.clone(), name.as_str()?.to_owned())));
        let line = Line {
            topic: topic.to_owned(),
            config: config.to_owned(),
            device: said("device").unwrap_or_default().to_owned(),
            names: names.collect::<BTreeMap<_, _>>(),
        };
        if let Some(place) = place(prefix, topic) {
            book.restore(&line, &place);
        }
    }
}

/// Writes the file anew: the old one or the new one is there, whatever happens.
pub(super) fn write(path: &Path, lines: &[Line]) -> io::Result<()> {
    let mut text = String::new();
    for Line { topic, config, device, names } in lines {
        let line = serde_json::json!({
            "topic": topic, "config": config, "device": device, "names": names,
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)?;
    // Its name too: what is acknowledged for it survives a loss of power. Elsewhere a folder cannot be opened as a file.
    match path.parent() {
        Some(folder) if cfg!(unix) && !folder.as_os_str().is_empty() => {
            File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}
