//! The table of servers, printed when they start and when the tests are over.

use std::fmt::Write;

use crate::servers::Missing;
use crate::{How, Kind, Server};

/// One line a server, those that are not there among them.
pub(crate) fn table(servers: &[Server], missing: &[Missing]) -> String {
    let mut rows: Vec<[String; 5]> = vec![["kind", "server", "version", "how", "where"].map(str::to_owned)];
    for kind in Kind::ALL {
        for server in servers.iter().filter(|server| server.kind == kind) {
            rows.push([
                kind.to_string(),
                server.name.clone(),
                version(server),
                if server.is_careless() {
                    "careless"
                } else {
                    server.how.name()
                }
                .to_owned(),
                server.shown_url(),
            ]);
        }
        for missing in missing.iter().filter(|missing| missing.kind == kind) {
            let reason = missing.reason.lines().next().unwrap_or_default();
            rows.push([
                kind.to_string(),
                missing.name.clone(),
                String::new(),
                "-".to_owned(),
                format!("NOT AVAILABLE: {reason}"),
            ]);
        }
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(&row) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The version, and what the server itself says where that is something else.
fn version(server: &Server) -> String {
    if server.how == How::Explicit || server.says == server.version {
        server.version.clone()
    } else {
        format!("{} (says {})", server.version, server.says)
    }
}
