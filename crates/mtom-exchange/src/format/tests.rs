use super::*;

#[test]
fn every_format_reads_its_own_word() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!("influx".parse(), Ok(Format::LineProtocol));
}

#[test]
fn another_word_is_refused_with_those_that_are_known() {
    let error = "xlsx".parse::<Format>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown format \"xlsx\": expected csv, jsonl, parquet, lp or senml"
    );
}

#[test]
fn an_extension_names_a_format_whatever_its_case() {
    let named = |path: &str| Format::of_path(Path::new(path));
    assert_eq!(named("a/week.CSV"), Some(Format::Csv));
    assert_eq!(named("week.ndjson"), Some(Format::JsonLines));
    assert_eq!(named("week.parquet"), Some(Format::Parquet));
    assert_eq!(named("week.lp"), Some(Format::LineProtocol));
    assert_eq!(named("week.senml"), Some(Format::SenMl));
    assert_eq!(named("week.json"), None);
    assert_eq!(named("week"), None);
}
