use super::*;

const RULE: &str = "[[rule]]\nname = \"heat\"\nwhen = \"Environ/Temperature\"\non = \"celsius >= 25.0\"\nthen = [{ actuator = \"LAMP\" }]\n";

fn read(text: &str) -> Result<Vec<Case>, Vec<String>> {
    let source = Source::read("a.toml", text.to_owned()).map_err(|wrong| wrong.0)?;
    source.cases("a.toml").map_err(|wrong| wrong.0)
}

#[track_caller]
fn wrong(text: &str, expected: &[&str]) {
    let found = read(text).unwrap_err();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn cases_stand_beside_their_rules_in_tables_or_inline() {
    let cases = read(&format!(
        "{RULE}test = [{{ given = '12:00 26', expect = '12:00:00 LAMP on' }}]\n{}\n[[rule.test]]\nname = \"n\"\ngiven = \"12:00 1\"\nexpect = \"\"\n",
        RULE.replace("heat", "other").replace("LAMP", "FAN")
    ))
    .unwrap();
    let shown: Vec<_> =
        cases.iter().map(|case| (&*case.rule, &*case.name, case.line, case.expect.len())).collect();
    assert_eq!(shown, [("heat", "case 1", 6, 1), ("other", "n", 15, 0)]);
}

#[test]
fn a_configuration_with_rules_is_read_whole() {
    let source = |text: &str| Source::read("a.toml", text.to_owned()).unwrap();
    assert!(!source(RULE).is_configuration());
    let actuator = "[[actuator]]\nname = \"LAMP\"\nlink = \"tcp:127.0.0.1:7000\"\n";
    assert!(source(&format!("{actuator}{RULE}")).is_configuration());
    let text = format!("[log]\nlevel = \"loud\"\n{RULE}");
    wrong(&text, &["a.toml:2:9: log.level", "a.toml:7:"]);
}

#[test]
fn a_mistake_has_the_line_and_column_of_the_character() {
    wrong("[[rule]]\nname = 1\n x = \n", &["a.toml:3:6: "]);
    wrong("", &["a.toml: no rule: expected [[rule]]"]);
    let unknown = format!(
        "{RULE}\n[[rule.test]]\ngiven = \"12:00 1 °C | 12:00:99 2\"\nexpect = \"12:00 FAN on\"\n"
    );
    wrong(&unknown, &["a.toml:8:23: rule \"heat\", case \"case 1\", given: ", "a.toml:9:17: "]);
    let escaped = format!("{RULE}\n[[rule.test]]\ngiven = \"12:00\\u00201 | x\"\nexpect = \"\"\n");
    wrong(&escaped, &["a.toml:8:25: "]);
}
