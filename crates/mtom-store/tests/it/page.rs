//! History from the database: pages with a cursor, both ways, and the original's.

use super::{connect, maria_server, readings, settings};
use mtom_protocol::reading::StoredReading;
use mtom_store::maria::{Maria, Settings};
use mtom_store::record::{Cursor, Order};

/// What a page walk must give, by sorting.
fn expected(
    all: &[StoredReading],
    order: Order,
    device: Option<&str>,
    quantity: Option<&str>,
) -> Vec<StoredReading> {
    let mut rows: Vec<_> = all
        .iter()
        .filter(|row| device.is_none_or(|device| *row.reading.device == *device))
        .filter(|row| quantity.is_none_or(|quantity| *row.reading.quantity == *quantity))
        .cloned()
        .collect();
    rows.sort_by_key(|row| (row.at, row.id));
    if order == Order::Descending {
        rows.reverse();
    }
    rows
}

#[tokio::test]
async fn pages_in_both_orders_with_any_filter_hold_each_reading_once() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let mut maria = connect(&url).await;
    let all = readings(1..=500);
    maria.append(&all).await.unwrap();
    // Another gateway's readings are not ours.
    let other = Settings { gateway: "other".to_owned(), ..settings(&url) };
    Maria::connect(&other).await.unwrap().append(&readings(1..=700)).await.unwrap();
    for order in [Order::Ascending, Order::Descending] {
        for device in [None, Some("Environ/3"), Some("nobody")] {
            for quantity in [None, Some("Temperature")] {
                let (mut rows, mut after) = (Vec::new(), None);
                loop {
                    let page =
                        maria.page_by_time(after, order, 37, device, quantity).await.unwrap();
                    let Some(last) = page.last() else { break };
                    after = Some(Cursor::behind(last));
                    rows.extend(page);
                }
                assert_eq!(rows, expected(&all, order, device, quantity));
            }
        }
    }
}

#[tokio::test]
async fn the_original_s_pages_hold_temperatures_in_the_order_of_time() {
    let Some(server) = maria_server::shared() else { return };
    let mut maria = connect(&server.url().await).await;
    let all = readings(1..=100);
    maria.append(&all).await.unwrap();
    let temperatures = expected(&all, Order::Ascending, None, Some("Temperature"));
    for offset in [0, 20, 45, 60, 66, 67, 1_000, u64::MAX / 2] {
        let page = maria.original_page(offset).await.unwrap();
        let start = usize::try_from(offset).unwrap().min(temperatures.len());
        let end = (start + 20).min(temperatures.len());
        assert_eq!(page, temperatures[start..end]);
    }
}
