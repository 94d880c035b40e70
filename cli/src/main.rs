//! The `image` command. All of it is in the library, so that the whole-system tests can build it as well.

fn main() -> std::process::ExitCode {
    cli::main()
}
