//! What tells the INSERT scripts of Oracle's and SQL Server's tools from dumps, and the commands in them that are not SQL.

use super::lexer::Dialect;

/// Whose script a file is, by its first block; `None` for a dump, which says by itself what it is.
pub(super) fn told(beginning: &[u8]) -> Option<Dialect> {
    let text = String::from_utf8_lossy(beginning);
    let is_dump = ["-- MySQL dump", "-- MariaDB dump", "-- PostgreSQL database dump", "CREATE TABLE `", "INSERT INTO `"];
    if is_dump.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let mut oracle = false;
    for line in text.lines() {
        let line = line.trim().to_ascii_uppercase();
        if line == "GO" || line.starts_with("USE [") || line.starts_with("INSERT [") || line.starts_with("CREATE TABLE [") {
            return Some(Dialect::SqlServer);
        }
        oracle |= line.starts_with("REM INSERTING") || line.starts_with("SET DEFINE OFF") || line.contains(" VARCHAR2(");
    }
    oracle.then_some(Dialect::Oracle)
}

/// Commands to the tools themselves, and settings, which end with their line in a script.
pub(super) fn is_one_line(word: &str) -> bool {
    matches!(
        word,
        "REM"
            | "REMARK"
            | "PROMPT"
            | "SET"
            | "SPOOL"
            | "WHENEVER"
            | "CONNECT"
            | "EXIT"
            | "QUIT"
            | "DEFINE"
            | "UNDEFINE"
            | "GO"
            | "USE"
            | "PRINT"
    )
}

/// What is written in the database's own language and ends with the line `/`.
pub(super) fn is_program(word: &str) -> bool {
    matches!(word, "TRIGGER" | "PROCEDURE" | "FUNCTION" | "PACKAGE" | "TYPE")
}
