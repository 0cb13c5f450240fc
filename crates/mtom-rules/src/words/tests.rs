use super::nearest;

#[test]
fn the_word_meant_is_at_most_two_letters_off() {
    let known = ["celsius", "fahrenheit", "age", "on"];
    let meant = |name| nearest(name, known);
    assert_eq!(meant("celsius"), Some("celsius"));
    assert_eq!(meant("CELSIUS"), Some("celsius"));
    assert_eq!(meant("celcuis"), None, "three letters off");
    assert_eq!(meant("celxixs"), Some("celsius"), "two letters off");
    assert_eq!(meant("fahr"), Some("fahrenheit"), "begins so");
    assert_eq!(meant("fa"), Some("fahrenheit"), "begins so");
    assert_eq!(meant("f"), None, "much begins so");
    // Of a short word less may be wrong.
    assert_eq!(meant("agg"), Some("age"));
    assert_eq!(meant("agxx"), None);
    assert_eq!(meant("ox"), None);
    assert_eq!(meant(""), None);
}
