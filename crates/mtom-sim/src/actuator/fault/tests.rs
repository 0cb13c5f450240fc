use super::*;
use embedded_io_adapters::tokio_1::FromTokio;
use expect_test::expect;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, timeout};

#[test]
fn every_fault_of_the_help_is_read() {
    let faults: Faults = "drop=0.1,die-after=20,slow=300ms,legacy".parse().unwrap();
    let slow = Duration::from_millis(300);
    assert_eq!(faults, Faults { drop: 0.1, die_after: Some(20), slow, legacy: true });
    assert_eq!("".parse(), Ok(Faults::default()));
}

#[test]
fn a_fault_that_cannot_be_made_is_named_with_what_is_expected() {
    let said = ["rain", "drop", "drop=2", "die-after=-1", "slow=300", "legacy=yes"]
        .map(|text| text.parse::<Faults>().unwrap_err().to_string());
    expect![[r#"
        fault "rain": expected drop=0.1, die-after=20, slow=300ms or legacy
        fault "drop": expected drop=0.1, die-after=20, slow=300ms or legacy
        fault "drop=2": expected a number from 0 to 1, as in 0.01
        fault "die-after=-1": expected a number of lines, as in 20
        fault "slow=300": expected a time, as in 300ms
        fault "legacy=yes": expected drop=0.1, die-after=20, slow=300ms or legacy"#]]
    .assert_eq(&said.join("\n"));
}

/// What a device hears of so many lines, until it hears nothing for an hour.
async fn heard(faults: &str, seed: u64, count: usize) -> (Vec<String>, Duration) {
    let trouble = Trouble::new(faults.parse().unwrap(), seed);
    let (mut far, near) = duplex(64);
    let mut heard = Heard::new(FromTokio::new(near), &trouble);
    let write = async {
        for number in 0..count {
            far.write_all(format!("h {number}\n").as_bytes()).await.unwrap();
        }
        // A link stays open when the device dies.
        pending::<()>().await;
    };
    let read = async {
        let (mut lines, began, mut last) = (Vec::new(), Instant::now(), Duration::ZERO);
        let mut bytes = [0; READ_LEN];
        while let Ok(read) = timeout(Duration::from_secs(3_600), heard.read(&mut bytes)).await {
            lines.push(String::from_utf8(bytes[..read.unwrap()].to_vec()).unwrap());
            last = began.elapsed();
        }
        (lines, last)
    };
    tokio::select! {
        () = write => unreachable!(),
        heard = read => heard,
    }
}

#[tokio::test(start_paused = true)]
async fn lines_get_lost_whole_and_the_same_for_one_seed() {
    let (lines, _) = heard("drop=0.3", 7, 1_000).await;
    assert!((600..800).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().all(|line| line.starts_with("h ") && line.ends_with('\n')));
    assert_eq!(heard("drop=0.3", 7, 1_000).await.0, lines);
    assert_ne!(heard("drop=0.3", 8, 1_000).await.0, lines);
}

#[tokio::test(start_paused = true)]
async fn every_line_takes_its_time() {
    let (lines, took) = heard("slow=300ms", 1, 10).await;
    assert_eq!((lines.len(), took), (10, Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn it_dies_after_so_many_lines_on_all_of_its_links_and_closes_none() {
    let (lines, _) = heard("die-after=3", 1, 10).await;
    assert_eq!(lines, ["h 0\n", "h 1\n", "h 2\n"]);
    assert!(heard("die-after=0", 1, 10).await.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_leaves_whole_or_not_at_all() {
    let trouble = Trouble::new("drop=0.5".parse().unwrap(), 1);
    let (mut far, near) = duplex(4_096);
    let mut said = Said::new(FromTokio::new(near), &trouble);
    for number in 0..100 {
        said.write_all(format!("h {number}\n").as_bytes()).await.unwrap();
    }
    drop(said);
    let mut text = String::new();
    far.read_to_string(&mut text).await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!((30..70).contains(&lines.len()), "{text}");
    assert!(lines.iter().all(|line| line.starts_with("h ")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_bare_byte_passes_as_it_comes() {
    for faults in ["", "die-after=9"] {
        let trouble = Trouble::new(faults.parse().unwrap(), 1);
        let (mut far, near) = duplex(64);
        let mut heard = Heard::new(FromTokio::new(near), &trouble);
        far.write_all(b"h").await.unwrap();
        let mut bytes = [0; READ_LEN];
        assert_eq!((heard.read(&mut bytes).await.unwrap(), bytes[0]), (1, b'h'));
        drop(far);
        assert_eq!(heard.read(&mut bytes).await.unwrap(), 0);
    }
}
