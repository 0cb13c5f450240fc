//! What a broker of before keeps of us after `broker.url` was changed.
//!
//! Nothing is done there: whether it is another broker, or the one of now under another name, whether another gateway
//! with this folder's name still speaks there, and who may get in, a person knows. The topics are written down, and it
//! is said how they are taken back.

use super::talk::Left;
use mtom_mqtt::endpoint::Endpoint;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The file in the data folder: a topic on a line.
const FILE: &str = "announced-before";

/// Writes down the topics that Home Assistant was told at the broker with that URL, and says so.
pub(super) fn leave(folder: &Path, broker: String, topics: &BTreeSet<String>) -> Left {
    let text: String = topics.iter().flat_map(|topic| [topic, "\n"]).collect();
    if let Err(cause) = fs::write(folder.join(FILE), text) {
        tracing::warn!(%cause, "what the broker of before keeps for Home Assistant is not written down");
    }
    let left = Left { command: command(&broker), broker, topics: topics.len() as u64 };
    let Left { broker, topics, command } = &left;
    tracing::warn!(
        broker,
        topics,
        "where that is another broker than the one of now, it still keeps what Home Assistant was told; to take it \
         back, in the data folder: {command}"
    );
    left
}

/// What a person may do in the data folder.
fn command(broker: &str) -> String {
    match Endpoint::parse(broker) {
        Ok(Endpoint { scheme, host, port, path }) if path.is_empty() && is_plain(&host) => {
            let secure = if scheme.is_secure() { " --tls-use-os-certs" } else { "" };
            format!(
                "while read -r topic; do mosquitto_pub -h {host} -p {port}{secure} -r -n -t \"$topic\" < /dev/null; \
                 done < {FILE}"
            )
        }
        _ => format!("publish nothing, retained, to each topic in {FILE}"),
    }
}

/// Nothing that a shell would take for something else.
fn is_plain(host: &str) -> bool {
    host.chars().all(|one| one.is_ascii_alphanumeric() || "-._:".contains(one))
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_is_one_that_a_shell_takes_as_it_stands() {
        let text = command("mqtts://old.example:8883");
        assert!(text.contains("-h old.example -p 8883 --tls-use-os-certs -r -n"), "{text}");
        let text = command("mqtt://[::1]:1883");
        assert!(text.contains("-h ::1 -p 1883 -r -n"), "{text}");
        for broker in ["ws://old:80/a$(reboot)", "wss://old/mqtt", "nonsense", "mqtt://a;b:1883"] {
            assert_eq!(
                command(broker),
                "publish nothing, retained, to each topic in announced-before"
            );
        }
    }
}
