//! The real binary and a mosquitto that lets in by certificate alone: readings, a switch, and what the doctor says.

use crate::certificates::Files;
use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, command, output};
use crate::soon;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_mqtt::endpoint::Endpoint;
use mtom_mqtt::target::{Target, Version};
use std::path::Path;

/// The lines of a mosquitto with that name.
fn listener(files: &Files, name: &str) -> String {
    format!(
        "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        files.path("ca.pem"),
        files.path(&format!("{name}.pem")),
        files.path(&format!("{name}.key"))
    )
}

fn sets(files: &Files, name: &str, broker: &Mosquitto) -> Vec<String> {
    files.sets(&format!("mqtts://{name}:{}", broker.address.port()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_switches_a_plug_over_tls() {
    let Some(program) = program() else { return };
    let files = Files::new();
    let broker = Mosquitto::with(program, &listener(&files, "127.0.0.1"));
    let endpoint = Endpoint::parse(&format!("mqtts://{}", broker.address)).unwrap();
    let target =
        Target { endpoint, tls: files.tls.clone(), credentials: None, version: Version::V5 };
    let mut plug = Publisher::to("plug", &target);
    let heard = async |plug: &mut Publisher, wanted: Progress| {
        let what = format!("{wanted:?}");
        soon(&what, async { while plug.next().await.unwrap() != wanted {} }).await;
    };
    heard(&mut plug, Progress::Connected).await;
    plug.listen("plug/set").unwrap();
    heard(&mut plug, Progress::Listening).await;
    let dir = tempfile::tempdir().unwrap();
    let mut sets = sets(&files, "127.0.0.1", &broker);
    sets.push(
        r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="PLUG"}]}]"#
            .into(),
    );
    sets.push(r#"actuator=[{name="PLUG",link="mqtt:plug/set?state=plug/state"}]"#.into());
    let sets: Vec<_> = sets.iter().map(String::as_str).collect();
    let mtom = Mtom::serve("up", dir.path(), &sets);
    soon("the gateway and its link", async {
        loop {
            let log = mtom.get("/api/v1/log").await.to_string();
            let actuator = mtom.get("/api/v1/actuators").await["actuators"][0].clone();
            if log.contains("connected to the broker mqtts://") && actuator["link_state"] == "up" {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    plug.publish("Environ/Temperature", "31 °C", true).unwrap();
    heard(&mut plug, Progress::Heard { payload: "ON".into() }).await;
    // The plug is told before the disk has it.
    soon("the reading on the disk", async {
        while mtom.get("/api/v1/audit").await["stored"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn doctor(dir: &Path, sets: &[String]) -> String {
    let mut doctor = command(&["doctor"]);
    doctor.current_dir(dir);
    for set in sets {
        doctor.args(["--set", set]);
    }
    let said = String::from_utf8(output(doctor).stdout).unwrap();
    let line = said.lines().find(|line| line.contains(" broker mqtt"));
    line.unwrap_or_else(|| panic!("nothing of the broker: {said}")).to_owned()
}

#[test]
fn the_doctor_says_what_is_wrong_with_the_broker() {
    let Some(program) = program() else { return };
    let files = Files::new();
    let broker = Mosquitto::with(program, &listener(&files, "localhost"));
    let dir = tempfile::tempdir().unwrap();
    let right = sets(&files, "localhost", &broker);
    let said = doctor(dir.path(), &right);
    assert!(said.starts_with("ok ") && said.ends_with("lets this user in, MQTT 5"), "{said}");
    for (at, set, expected) in [
        (
            1,
            format!("broker.ca_file={}", files.path("other-ca.pem")),
            "put the certificate of the authority that signed it there",
        ),
        (1, "broker.ca_file=".into(), "in broker.ca_file"),
        (
            0,
            format!("broker.url=mqtts://127.0.0.1:{}", broker.address.port()),
            "not for 127.0.0.1 but for localhost",
        ),
        (0, "broker.url=mqtts://localhost:1".into(), "check broker.url and the firewall"),
    ] {
        let mut sets = right.clone();
        sets[at] = set;
        let said = doctor(dir.path(), &sets);
        assert!(said.starts_with("BAD ") && said.contains(expected), "{expected}: {said}");
    }
    let said = doctor(dir.path(), &right[..2]);
    assert!(said.starts_with("BAD ") && said.contains("broker.certificate_file"), "{said}");
}
