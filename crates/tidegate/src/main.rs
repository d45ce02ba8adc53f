//! The `tidegate` command: reads its words, calls a room, and turns what comes back into an exit status.
//!
//! Exit status: 0 done; 1 not done, with the reason on standard error; 2 words that make no command.

mod check_config;
mod serve;
mod upgrade;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An API manager that speaks the public interfaces of WSO2 API Manager 4.0.0 and takes over older installations of it.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Words {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all profiles: gateway, traffic manager, publisher, developer portal, admin and key manager.
    Serve(serve::Serve),
    /// Take over an old installation: assess, plan, apply, verify.
    Upgrade(Box<upgrade::Upgrade>),
    /// Check a configuration file, or print one with every option.
    CheckConfig(check_config::CheckConfig),
}

fn main() -> ExitCode {
    let done = match Words::parse().command {
        Command::Serve(words) => serve::run(words),
        Command::Upgrade(words) => upgrade::run(*words),
        Command::CheckConfig(words) => check_config::run(&words),
    };
    match done {
        Ok(code) => code,
        Err(fault) => {
            report(&fault);
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong, with its causes, each once.
#[expect(clippy::print_stderr, reason = "the reason a command failed belongs on the terminal, whether or not logging has started")]
fn report(fault: &anyhow::Error) {
    let mut said = fault.to_string();
    eprintln!("tidegate: {said}");
    for cause in fault.chain().skip(1) {
        let words = cause.to_string();
        if !said.contains(&words) {
            eprintln!("  because {words}");
            said.push_str(&words);
        }
    }
}
