//! Parts that every chip has: its name, its watchdog, its thermometer.

use embassy_time::Duration;
use esp_hal::efuse;
use esp_hal::peripherals::TIMG1;
use esp_hal::time;
use esp_hal::timer::timg::{MwdtStage, TimerGroup, Wdt};
use mtom_device::actuator::Watchdog;

/// The chip starts again when its watchdog was not fed for this long. Longer than anything that
/// keeps the processor to itself: erasing a block of flash, checking a certificate.
const HUNGRY_MAX: Duration = Duration::from_secs(30);

/// The factory's hardware address: a device that has no name is named after it.
#[must_use]
pub fn address() -> [u8; 6] {
    efuse::base_mac_address().as_bytes().try_into().unwrap_or_default()
}

/// Starts the chip again when it is not fed.
pub struct ChipWatchdog(Wdt<TIMG1<'static>>);

impl ChipWatchdog {
    /// It runs from now on.
    #[must_use]
    pub fn start(timer: TIMG1<'static>) -> Self {
        let mut watchdog = TimerGroup::new(timer).wdt;
        let limit = time::Duration::from_millis(HUNGRY_MAX.as_millis());
        watchdog.set_timeout(MwdtStage::Stage0, limit);
        watchdog.enable();
        Self(watchdog)
    }
}

impl Watchdog for ChipWatchdog {
    fn feed(&mut self) {
        self.0.feed();
    }
}

#[cfg(feature = "actuator")]
mod secret {
    use esp_hal::rng::Trng;
    use mtom_protocol::link::keyed::{NONCE_LEN, Nonce};

    /// A number that nobody can foretell; there is none before the radio is on, whose noise makes it.
    #[must_use]
    pub fn draw() -> Option<Nonce> {
        let mut nonce = [0; NONCE_LEN];
        Trng::try_new().ok()?.read(&mut nonce);
        Some(Nonce(nonce))
    }
}
#[cfg(feature = "actuator")]
pub use secret::draw;

#[cfg(feature = "actuator")]
mod light {
    use esp_hal::gpio::{Level, Output};
    use mtom_device::actuator::Pin;
    use mtom_protocol::link::Led;

    /// An LED between 3.3 V and its pin: lit while the pin is low.
    ///
    /// GPIO8 must be high when the chip is to be flashed, so no LED may pull it down.
    pub struct Light(pub Output<'static>);

    impl Light {
        /// What the pin shows when the LED is dark.
        pub const DARK: Level = Level::High;
    }

    impl Pin for Light {
        fn set(&mut self, led: Led) {
            self.0.set_level(if led == Led::On { !Self::DARK } else { Self::DARK });
        }
    }
}
#[cfg(feature = "actuator")]
pub use light::Light;

#[cfg(feature = "actuator")]
mod button {
    use esp_hal::gpio::Input;
    use mtom_device::actuator::Contact;

    /// A button between its pin, which is pulled up, and ground.
    pub struct Button(pub Input<'static>);

    impl Contact for Button {
        fn is_closed(&self) -> bool {
            self.0.is_low()
        }

        async fn until(&mut self, is_closed: bool) {
            if is_closed {
                self.0.wait_for_low().await;
            } else {
                self.0.wait_for_high().await;
            }
        }
    }
}
#[cfg(feature = "actuator")]
pub use button::Button;

#[cfg(feature = "sensor")]
mod thermometer {
    use esp_hal::tsens::TemperatureSensor;
    use mtom_device::record::DeciCelsius;
    use mtom_device::sensor::Thermometer;

    /// The chip's own thermometer: it measures the chip, some degrees above the room.
    #[derive(Debug)]
    pub struct ChipThermometer(pub TemperatureSensor<'static>);

    impl Thermometer for ChipThermometer {
        async fn read(&mut self) -> Result<DeciCelsius, &'static str> {
            let tenths = self.0.get_temperature().to_celsius() * 10.0;
            #[allow(clippy::cast_possible_truncation, reason = "the sensor shows -40 to 125 °C")]
            Ok(DeciCelsius(tenths as i16))
        }
    }
}
#[cfg(feature = "sensor")]
pub use thermometer::ChipThermometer;
