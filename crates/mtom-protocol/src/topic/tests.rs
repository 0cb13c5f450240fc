use super::{FilterError, check_filter, matches, subscription};

#[test]
fn wildcards_match_as_the_specification_says() {
    for (filter, topic, expected) in [
        ("Environ/Temperature", "Environ/Temperature", true),
        ("Environ/+", "Environ/Temperature", true),
        ("Environ/#", "Environ/Temperature", true),
        ("Environ/#", "Environ", true),
        ("#", "a/b/c", true),
        ("+/+", "/a", true),
        ("+", "/a", false),
        ("Environ/+", "Environ/a/b", false),
        ("Environ/+", "Environ", false),
        ("environ/+", "Environ/a", false),
        ("#", "$SYS/uptime", false),
        ("+/uptime", "$SYS/uptime", false),
        ("$SYS/#", "$SYS/uptime", true),
    ] {
        assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
    }
}

#[test]
fn malformed_filters_say_which_rule_they_break() {
    for (filter, expected) in [
        ("a/+/b/#", Ok(())),
        ("", Err(FilterError::Empty)),
        ("a#", Err(FilterError::Hash)),
        ("#/a", Err(FilterError::Hash)),
        ("a+/b", Err(FilterError::Plus)),
        ("a\0", Err(FilterError::Control)),
    ] {
        assert_eq!(check_filter(filter), expected, "{filter:?}");
    }
}

#[test]
fn a_shared_subscription_has_a_group_and_a_filter() {
    for (text, expected) in [
        ("Environ/#", Ok((None, "Environ/#"))),
        ("$share/gateways/Environ/#", Ok((Some("gateways"), "Environ/#"))),
        ("$share/g//a", Ok((Some("g"), "/a"))),
        ("$shared/g/a", Ok((None, "$shared/g/a"))),
        ("$share/", Err(FilterError::Share)),
        ("$share/g", Err(FilterError::Share)),
        ("$share/g/", Err(FilterError::Share)),
        ("$share//a", Err(FilterError::Share)),
        ("$share/+/a", Err(FilterError::Share)),
        ("$share/g/a#", Err(FilterError::Hash)),
    ] {
        assert_eq!(subscription(text), expected, "{text:?}");
    }
}

#[test]
fn two_filters_overlap_where_one_topic_is_of_both() {
    for (one, other, expected) in [
        ("Environ/#", "+/status", true),
        ("Environ/+", "+/status", true),
        ("#", "a/b", true),
        ("a/#", "a", true),
        ("a/+/c", "+/b/+", true),
        ("a/b", "a/b", true),
        ("a/b", "a/c", false),
        ("a/+", "a", false),
        ("a/+", "+/b/c", false),
        ("tele/#", "+/+/status/x", true),
        ("tele/+/SENSOR", "+/status", false),
        ("$SYS/#", "#", false),
        ("$SYS/#", "+/a", false),
        ("$SYS/+", "$SYS/a", true),
    ] {
        assert_eq!(super::overlap(one, other), expected, "{one} {other}");
        assert_eq!(super::overlap(other, one), expected, "{other} {one}");
    }
}
