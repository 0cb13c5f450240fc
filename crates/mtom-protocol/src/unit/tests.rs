use super::{Unit, fahrenheit};

#[test]
fn the_threshold_of_the_original_is_exact_in_both_scales() {
    assert_eq!(fahrenheit(25.0), 77.0);
    assert_eq!(Unit::Fahrenheit.to_celsius(77.0), Some(25.0));
    assert!(fahrenheit(24.9) < 77.0 && fahrenheit(25.1) > 77.0);
}

#[test]
fn every_symbol_reads_back() {
    for unit in Unit::ALL {
        assert_eq!(Unit::parse(unit.symbol()), Some(unit));
    }
    assert_eq!(Unit::parse("lux"), Some(Unit::Lux));
    assert_eq!(Unit::parse("C"), Some(Unit::Celsius));
    assert_eq!(Unit::parse("parsec"), None);
}

#[test]
fn only_temperatures_have_celsius() {
    for unit in Unit::ALL {
        assert_eq!(unit.to_celsius(1.0).is_some(), unit.is_temperature(), "{unit:?}");
    }
    assert_eq!(Unit::Kelvin.to_celsius(273.15), Some(0.0));
}
