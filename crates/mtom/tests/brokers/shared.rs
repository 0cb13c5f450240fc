//! Two gateways share what one mosquitto has: each message goes to exactly one of them, and together they have all.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::Mtom;
use crate::soon;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_mqtt::target::{Target, Version};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::PageQuery;
use mtom_store::journal::Journal;
use std::path::Path;

const READINGS: u64 = 200;

async fn stored(gateway: &Mtom) -> u64 {
    gateway.get("/api/v1/audit").await["stored"].as_u64().unwrap()
}

/// Its subscription is in force.
async fn is_there(gateway: &Mtom) {
    soon("the gateway", async {
        while !gateway.get("/api/v1/log").await.to_string().contains("connected to the broker") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_goes_to_exactly_one_of_two_gateways() {
    let Some(program) = program() else { return };
    for version in [Version::V3, Version::V5] {
        let broker = Mosquitto::start(program);
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (url, word) = (
            format!("broker.url=mqtt://{}", broker.address),
            if version == Version::V3 {
                "broker.version=\"3.1.1\""
            } else {
                "broker.version=\"5\""
            },
        );
        // One of them had all for itself before: the broker keeps that with its session.
        let mut before = Mtom::serve("gateway", dirs[0].path(), &[&url, word]);
        is_there(&before).await;
        assert!(before.stop("-TERM").success());
        let sets = [&url, word, r#"ingest.topics=["$share/gateways/Environ/#"]"#];
        let gateways = [0, 1].map(|at: usize| Mtom::serve("gateway", dirs[at].path(), &sets));
        for gateway in &gateways {
            is_there(gateway).await;
        }
        let target = Target { version, ..Target::plain("127.0.0.1", broker.address.port()) };
        let mut device = Publisher::to("device", &target);
        for number in 0..READINGS {
            let reading = format!(r#"{{"temperature":21,"boot":"b","seq":{number}}}"#);
            device.publish("Environ/Temperature", &reading, true).unwrap();
            while soon("PUBACK", device.next()).await.unwrap() != Progress::Acknowledged {}
        }
        let [one, other] = &gateways;
        let shares = soon("all of them", async {
            loop {
                let shares = (stored(one).await, stored(other).await);
                // More would be one that went to both.
                if shares.0 + shares.1 >= READINGS {
                    return shares;
                }
            }
        })
        .await;
        assert_eq!(shares.0 + shares.1, READINGS, "{shares:?}");
        assert!(shares.0 > 0 && shares.1 > 0, "one has all: {shares:?}");
        let mut seqs = Vec::new();
        for gateway in &gateways {
            assert_eq!(gateway.get("/api/v1/audit").await["ignored"], 0);
        }
        for (mut gateway, dir) in gateways.into_iter().zip(&dirs) {
            assert!(gateway.stop("-TERM").success());
            seqs.extend(sequence_numbers(dir.path()));
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (0..READINGS).collect::<Vec<_>>());
    }
}

fn sequence_numbers(dir: &Path) -> Vec<u64> {
    let journal = Journal::open(&dir.join("mtom.db"), UnixMicros(0)).unwrap();
    let query = PageQuery { limit: 1_000, ..PageQuery::default() };
    let page = journal.history().page(&query).unwrap();
    page.rows.iter().map(|row| row.reading.key.as_ref().unwrap().seq).collect()
}
