//! The real binary against the real Linux Bluetooth stack, inside the guest that `cargo xtask bluetooth`
//! boots: bluetoothd, the kernel, and virtual controllers.
//!
//! Anywhere else it says SKIPPED and nothing more: it starts bluetoothd as it likes and owns the machine.
//! Each test has new controllers, a new bluetoothd that knows nobody, and a folder for its logs. Tests
//! run one after the other; each event that must come has [`LIMIT`].

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and say how it goes"
)]

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod ble;
#[cfg(target_os = "linux")]
mod guest;
#[cfg(target_os = "linux")]
mod harness;
#[cfg(target_os = "linux")]
mod mtom;
#[cfg(target_os = "linux")]
mod pair;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod serial;
#[cfg(target_os = "linux")]
mod spp;

/// The limit for an event that must come: everything is emulated, and searches take their time.
#[cfg(target_os = "linux")]
const LIMIT: std::time::Duration = std::time::Duration::from_secs(90);

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    harness::main(tests![
        ble::by_name_it_is_told_and_says_that_it_obeyed,
        ble::by_btleplug_too,
        ble::a_scan_lists_it_with_what_to_write,
        ble::a_gateway_that_ends_lets_go_of_it,
        ble::killed_it_is_missed_and_back_it_hears_the_newest_only,
        ble::an_adapter_that_was_off_goes_on_where_it_was,
        ble::a_bluetoothd_that_starts_again_finds_it_again,
        ble::of_two_with_one_name_neither_is_taken_until_one_is_chosen,
        pair::with_the_same_key_it_obeys_and_with_another_nobody,
        pair::by_the_digits_that_it_shows_and_for_good,
        pair::with_wrong_digits_it_is_not_and_obeys_nobody,
        pair::outside_its_window_a_stranger_is_not_let_in,
        pair::by_a_number_that_is_compared_at_both_ends_and_for_good,
        pair::by_numbers_that_differ_it_is_not_and_obeys_nobody,
        pair::a_number_that_nobody_compares_ends_by_itself,
        pair::an_end_that_can_show_nothing_is_not_paired,
        spp::by_name_and_profile_it_obeys,
        spp::by_address_and_channel_it_obeys,
        spp::an_original_device_is_shown_as_sent,
        spp::killed_it_is_missed_and_back_it_hears_the_newest_only,
        spp::of_lines_that_are_lost_or_late_the_newest_counts,
        spp::one_that_dies_without_a_word_is_missed,
        serial::over_a_bound_port_it_obeys,
        serial::an_original_device_is_shown_as_sent,
        bench::ble,
        bench::spp,
    ])
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: Linux's own Bluetooth, on another system");
}
