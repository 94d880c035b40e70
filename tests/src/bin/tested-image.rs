//! The `image` command, built by this package so that its tests need no other build before them.

fn main() -> std::process::ExitCode {
    cli::main()
}
