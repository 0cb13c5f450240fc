//! MariaDB behind the real binary: it gets everything, and nobody waits for it.
//!
//! The oracle stands outside: what was acknowledged over MQTT is in the journal, and in the server once
//! the server is there again, each reading once.

use crate::maria_server::{Server, is_installed};
use crate::mtom::{Mtom, command, output};
use crate::soon;
use std::process::Command;
use tempfile::TempDir;

/// Sends `count` readings, each acknowledged, and says whether it could.
fn publish(gateway: &Mtom, from: u32, count: u32) -> bool {
    let (host, port) = (gateway.ready.mqtt.ip().to_string(), gateway.ready.mqtt.port().to_string());
    let mut lines = String::new();
    for number in from..from + count {
        lines.push_str(&format!(
            "{{\"temperature\":{}.5,\"boot\":\"b\",\"seq\":{number}}}\n",
            20 + number % 5
        ));
    }
    let process = Command::new("mosquitto_pub")
        .args(["-h", &host, "-p", &port, "-q", "1", "-t", "Environ/room", "-l"])
        .stdin(std::process::Stdio::piped())
        .spawn();
    let Ok(mut process) = process else {
        assert!(std::env::var_os("CI").is_none(), "mosquitto_pub is missing: CI must not skip");
        eprintln!("SKIPPED: mosquitto_pub is not installed (apt-get install mosquitto-clients)");
        return false;
    };
    std::io::Write::write_all(&mut process.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(process.wait().unwrap().success());
    true
}

/// Waits until the API says that of the other database.
async fn database(
    gateway: &Mtom,
    wanted: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    soon("that state of the database", async {
        loop {
            let storage = gateway.get("/api/v1/storage").await;
            if wanted(&storage["database"]) {
                return storage["database"].clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn the_server_gets_everything_also_what_came_while_it_was_dead() {
    if !is_installed() {
        return;
    }
    let mut server = Server::start(&[]).unwrap();
    let folder = TempDir::new().unwrap();
    let url = format!("store.url=mysql://root@127.0.0.1:{}/house", server.port);
    let mut gateway = Mtom::serve("up", folder.path(), &[&url]);
    if !publish(&gateway, 0, 100) {
        return;
    }
    let all = |state: &serde_json::Value| state["state"] == "connected" && state["backlog"] == 0;
    database(&gateway, |state| all(state) && state["newest"] == 100).await;

    // Dead in the middle of a stream: nobody who publishes or looks notices.
    for round in 0..3_u32 {
        server.kill();
        assert!(publish(&gateway, 100 + round * 200, 200));
        let away = database(&gateway, |state| state["state"] == "away").await;
        assert!(away["backlog"].as_u64().unwrap() > 0, "{away}");
        assert!(!away["reason"].as_str().unwrap().is_empty());
        let metrics = crate::mtom::get(gateway.ready.dashboard, "/metrics").await.1;
        assert!(metrics.contains("mtom_database_up 0"), "{metrics}");
        server.restart();
        database(&gateway, all).await;
    }
    let latest = gateway.get("/api/v1/latest").await;
    assert_eq!(latest["readings"][0]["seq"], 699);
    let url = url.strip_prefix("store.url=").unwrap();
    let sums = "CAST(COUNT(*) * 1000000 + SUM(number) + COUNT(DISTINCT seq) AS SIGNED)";
    let counted = server.number(&format!("SELECT {sums} FROM house.reading")).await;
    assert_eq!(counted, 700 * 1_000_000 + 700 * 701 / 2 + 700, "each once");

    // The original's own query answers there.
    let page = "SELECT * FROM house.temp ORDER BY time ASC LIMIT 0, 20";
    assert_eq!(server.rows(page).await.len(), 20);

    // What the server loses is found and sent again.
    server.sql("DELETE FROM house.reading WHERE number IN (5, 600)").await;
    let set = format!("store.url={url}");
    let audit = |more: &[&str]| {
        let mut arguments = vec!["audit", "--data", ".", "--set", &set];
        arguments.extend(more);
        let mut command = command(&arguments);
        command.current_dir(folder.path());
        let output = output(command);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (fine, said) = audit(&[]);
    assert!(!fine && said.contains("lacks 2 readings: 5, 600"), "{said}");
    assert!(gateway.stop("-TERM").success());
    let (fine, said) = audit(&["--resend"]);
    assert!(fine && said.contains("sent again: 2"), "{said}");
    assert!(audit(&[]).0);
    assert!(said.contains("stored → drained"), "{said}");
}

#[tokio::test]
async fn the_table_of_an_original_system_is_brought_in_and_stays_as_it_is() {
    if !is_installed() {
        return;
    }
    let server = Server::start(&[]).unwrap();
    server
        .sql("CREATE DATABASE original; CREATE TABLE original.temp (time DATETIME NOT NULL, temp FLOAT NOT NULL)")
        .await;
    let mut rows = Vec::new();
    for second in 0..50 {
        rows.push(format!(
            "('2023-07-10 20:{:02}:{:02}', {}.1)",
            second / 60,
            second % 60,
            16 + second % 3
        ));
    }
    server.sql(&format!("INSERT INTO original.temp VALUES {}", rows.join(", "))).await;
    let same =
        "SELECT CAST(COUNT(*) + SUM(CRC32(CONCAT(time, temp))) AS SIGNED) FROM original.temp";
    let before = server.number(same).await;
    let folder = TempDir::new().unwrap();
    let from = format!("mysql://root@127.0.0.1:{}/original", server.port);
    let mut import = command(&["import", &from, "--data", "."]);
    import.current_dir(folder.path());
    let said = output(import);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        text.contains("50 readings are new, 0 were there already, 0 were no readings"),
        "{text}"
    );
    assert_eq!(server.number(same).await, before);

    // And is paged by the original page.
    let gateway = Mtom::serve("up", folder.path(), &[]);
    let mut viewer = crate::viewer::Viewer::connect(gateway.ready.history).await;
    viewer.say("database:40").await;
    for second in 40..50 {
        let expected = format!(
            r#"{{"state":"OK","type":"old_data","response":{{"time":"2023-07-10 20:00:{second}","temp":{}.1}}}}"#,
            16 + second % 3
        );
        assert_eq!(viewer.hear().await, expected);
    }
    assert_eq!(viewer.hear().await, r#"{"state":"OK","type":"close","response":""}"#);
}
