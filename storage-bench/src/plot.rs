//! A table as bars: the median, and a line over the middle half of the rounds.

use std::fmt::Write;

use crate::report::{Report, Row};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 54.0;
const STEP: f64 = 30.0;
const BAR: f64 = 16.0;

/// The plot as an SVG document. The shortest bar is the best; the first contender's is filled darker.
pub(crate) fn svg(report: &Report) -> String {
    let mut text = String::new();
    let _ = write(report, &mut text); // Writing to a String does not fail.
    text
}

fn write(report: &Report, text: &mut String) -> std::fmt::Result {
    let rows = report.contenders();
    let longest = rows.iter().map(|row| row.upper).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / longest;
    let height = TOP + STEP * rows.len() as f64 + 24.0;
    writeln!(
        text,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">"##
    )?;
    writeln!(
        text,
        r##"<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>"##
    )?;
    let title = escaped(&report.title);
    writeln!(
        text,
        r##"<text x="10" y="22" font-size="15" fill="#222222">{title}</text>"##
    )?;
    writeln!(
        text,
        r##"<text x="10" y="40" fill="#777777">{}</text>"##,
        subtitle(report)
    )?;
    for (at, row) in rows.iter().enumerate() {
        bar(report, row, TOP + STEP * at as f64, scale, at == 0, text)?;
    }
    writeln!(text, "</svg>")
}

fn bar(report: &Report, row: &Row, top: f64, scale: f64, first: bool, text: &mut String) -> std::fmt::Result {
    let (middle, base) = (top + BAR / 2.0, top + BAR - 4.0);
    let fill = if first { "#1f5fa8" } else { "#a9c4e2" };
    let [lower, median, upper] = [row.lower, row.median, row.upper].map(|figure| figure * scale);
    writeln!(
        text,
        r##"<text x="{:.1}" y="{base:.1}" text-anchor="end" fill="#222222">{}</text>"##,
        LEFT - 8.0,
        escaped(&row.name)
    )?;
    writeln!(
        text,
        r##"<rect x="{LEFT}" y="{top:.1}" width="{median:.1}" height="{BAR}" fill="{fill}"/>"##
    )?;
    writeln!(
        text,
        r##"<line x1="{:.1}" y1="{middle:.1}" x2="{:.1}" y2="{middle:.1}" stroke="#222222"/>"##,
        LEFT + lower,
        LEFT + upper
    )?;
    writeln!(
        text,
        r##"<text x="{:.1}" y="{base:.1}" fill="#222222">{}</text>"##,
        LEFT + upper.max(median) + 6.0,
        report.unit.figure(row.median)
    )
}

fn subtitle(report: &Report) -> String {
    let unit = match report.unit {
        crate::report::Unit::Time => "µs per operation",
        crate::report::Unit::Memory => "MiB",
    };
    let verdict = if report.usable { "" } else { ", UNUSABLE" };
    format!(
        "{unit}, less is better; control {:+.1} %{verdict}",
        report.control * 100.0
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
