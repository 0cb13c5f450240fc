//! What cargo says about what it built.

use std::path::PathBuf;

use super::executable;

#[test]
fn a_program_is_found_by_kind_and_name() {
    let said = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"mtom"},"executable":null}
no json
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"mtom"},"executable":"/target/debug/mtom"}
"#;
    assert_eq!(executable(said, "bin", "mtom").unwrap(), PathBuf::from("/target/debug/mtom"));
    assert!(executable(said, "test", "bluetooth").is_err());
}
