//! Each misuse of `#[derive(Record)]` is refused where it stands, with the remedy. The cases are in `ui/`, named after
//! the mistake; `ui/pass` compiles and runs.

#[test]
fn every_misuse_is_refused_with_the_remedy() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/*.rs");
}
