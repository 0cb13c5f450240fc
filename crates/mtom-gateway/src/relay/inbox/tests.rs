use super::*;
use mtom_broker::intake::Message;
use mtom_protocol::time::UnixMicros;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const NEVER: Duration = Duration::from_secs(3_600);

fn sent(number: u64) -> Outcome {
    Outcome::Sent { number, at: UnixMicros(0) }
}

/// An outcome comes, and somebody asks for something every 300 ms: when is it written?
#[tokio::test(start_paused = true)]
async fn an_outcome_is_written_in_time_however_often_somebody_asks() {
    let (_deliveries, deliveries) = mpsc::channel(1);
    let (outcome, outcomes) = mpsc::channel(2);
    let (ask, requests) = mpsc::channel(1);
    let (_note, notes) = mpsc::channel(1);
    let (_forward, forwarded) = mpsc::channel(1);
    let mut inbox = Inbox { deliveries, forwarded, outcomes, requests, notes };
    let (mut work, end) = (Work::default(), CancellationToken::new());
    let begun = Instant::now();
    outcome.send(sent(1)).await.unwrap();
    let mut asking = JoinSet::new();
    asking.spawn(async move {
        loop {
            sleep(Duration::from_millis(300)).await;
            let (answer, _) = oneshot::channel();
            if ask.send(Request::Standing { answer }).await.is_err() {
                return;
            }
        }
    });
    let mut asked = 0;
    while !matches!(inbox.next(&mut work, NEVER, &end).await, Wake::Timer) {
        asked += 1;
        // A later one does not put the first one off.
        let _ = outcome.try_send(sent(2));
    }
    assert_eq!((asked, begun.elapsed()), (3, OUTCOME_DELAY));
    assert_eq!(work.told[..2], [sent(1), sent(2)]);
    // The disk is full: it is tried again, and not at once.
    work.put_off_told(Instant::now());
    while !matches!(inbox.next(&mut work, NEVER, &end).await, Wake::Timer) {}
    assert_eq!(begun.elapsed(), OUTCOME_DELAY * 2);
    work.close_told();
    assert!(work.told.is_empty() && work.told_due.is_none());
    drop(inbox);
    asking.join_next().await.unwrap().unwrap();
}

/// How many deliveries of payloads so long go into each transaction.
async fn batches(lens: &[usize]) -> Vec<usize> {
    let (deliver, deliveries) = mpsc::channel(BATCH_LEN_MAX);
    let (_outcome, outcomes) = mpsc::channel(1);
    let (_ask, requests) = mpsc::channel(1);
    let (_note, notes) = mpsc::channel(1);
    let (_forward, forwarded) = mpsc::channel(1);
    let mut inbox = Inbox { deliveries, forwarded, outcomes, requests, notes };
    let (mut work, end) = (Work::default(), CancellationToken::new());
    for (number, len) in lens.iter().enumerate() {
        let (topic, payload) = (number.to_string().into(), vec![0; *len].into());
        let message = Message { topic, payload, retained_copy: false, properties: Vec::new() };
        deliver.try_send(Delivery::unawaited(message)).unwrap();
    }
    drop(deliver);
    let (mut found, mut next) = (Vec::new(), 0);
    while matches!(inbox.next(&mut work, NEVER, &end).await, Wake::Work) {
        found.push(work.batch.len());
        for delivery in work.batch.drain(..) {
            assert_eq!(&*delivery.message.topic, next.to_string(), "in the order as they came");
            next += 1;
        }
    }
    assert_eq!((next, work.rest.len()), (lens.len(), 0));
    found
}

#[tokio::test]
async fn messages_that_may_say_more_than_one_transaction_takes_wait_for_the_next() {
    assert_eq!(batches(&[80; BATCH_LEN_MAX]).await, [BATCH_LEN_MAX], "as most messages are");
    // Each with as many metrics as there may be.
    let long = METRICS_LEN_MAX * OUTCOME_LEN;
    assert_eq!(batches(&[long; 70]).await, [32, 32, 6]);
    assert_eq!(batches(&[256 * 1024; 33]).await, [32, 1], "no more than that is looked at");
    assert_eq!(batches(&[0; 3]).await, [3]);
}
