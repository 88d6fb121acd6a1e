//! A table of devices, as spreadsheets save it, becomes an inventory in the native form.
//!
//! `decode` makes text of the bytes and cuts it into cells, `columns` finds out what each column is, `row` reads what a
//! row says of its device, and `write` puts it all down, with what devices share said once.

mod columns;
mod decode;
mod row;
mod write;

use self::columns::Columns;
use self::row::Row;
use crate::native::parse;
use crate::problem::{Place, Problems, Report};
use crate::range::MAX_DEVICES;
use crate::yaml::KeyPath;

pub use columns::ColumnUse;

/// How the files of spreadsheet programs begin: they are archives (PKWARE, APPNOTE.TXT, 4.3.7).
const WORKBOOK: &[u8] = b"PK\x03\x04";

/// An inventory that was made of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeInventory {
    /// Its text.
    pub text: String,
    /// What was made of each column.
    pub columns: Vec<ColumnUse>,
    /// How many devices it has.
    pub devices: usize,
    /// What was done that nobody asked for, each a sentence without its full stop.
    pub remarks: Vec<String>,
}

/// Makes an inventory of a table. `file` is its name in messages; `chosen` says of columns what they are, by name and
/// key, where the key is empty for a column that is left out.
///
/// # Errors
/// Everything that is wrong with the table: the line of the file, and the number of the cell in it.
pub fn from_csv(
    file: &str,
    bytes: &[u8],
    chosen: &[(String, String)],
) -> Result<MadeInventory, Problems> {
    let mut report = Report::new(file);
    if bytes.starts_with(WORKBOOK) {
        let hint = "save it as CSV in the spreadsheet program, and give that file";
        let message = "this is a workbook of a spreadsheet program, and no table";
        report.add_with_hint(Place::START, &KeyPath::root(), message, hint);
        return Err(report.into_problems());
    }
    let decoded = decode::text(bytes);
    let Some((header, records)) = decode::cells(&decoded.text, &mut report) else {
        return Err(report.into_problems());
    };
    let Some(columns) = Columns::of(&header, chosen, &mut report) else {
        return Err(report.into_problems());
    };
    if records.len() > MAX_DEVICES {
        let message = format!("the table has more than {MAX_DEVICES} devices");
        report.add(Place::START, &KeyPath::root(), message);
        return Err(report.into_problems());
    }
    let rows: Vec<Row> = records
        .iter()
        .filter_map(|record| Row::read(record, &columns, file, &mut report))
        .collect();
    row::refuse_twins(&rows, &mut report);
    if rows.is_empty() && report.is_clean() {
        let hint = "write one device a row, below a row that names the columns";
        report.add_with_hint(Place::START, &KeyPath::root(), "the table has no devices", hint);
    }
    let rows = report.into_result(rows)?;
    let text = write::inventory(file, &rows);
    // What cannot be read again is told as it would be on the first command that reads it.
    let fleet = parse("inventory.yaml", &text)?;
    let renamed = rows.iter().filter(|row| row.label.is_some()).count();
    let mut remarks: Vec<String> = decoded.remark.into_iter().map(str::to_owned).collect();
    if renamed > 0 {
        let names = if renamed == 1 { "1 name has" } else { &format!("{renamed} names have") };
        remarks.push(format!(
            "{names} other characters than a device's name may have, and was written otherwise; as it was it stands under \
             `vars: {{ label: … }}`"
        ));
    }
    Ok(MadeInventory { text, columns: columns.uses(), devices: fleet.devices.len(), remarks })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn made(bytes: &[u8], chosen: &[(&str, &str)]) -> String {
        let chosen: Vec<_> =
            chosen.iter().map(|(column, key)| (column.to_string(), key.to_string())).collect();
        match from_csv("kiosks.csv", bytes, &chosen) {
            Err(problems) => problems.to_string(),
            Ok(made) => {
                let uses = made.columns.iter().map(|column| format!("{column}\n"));
                let remarks = made.remarks.iter().map(|remark| format!("{remark}\n"));
                format!("{}{}{}", uses.collect::<String>(), remarks.collect::<String>(), made.text)
            }
        }
    }

    #[test]
    fn a_plain_table() {
        let text = "\
hostname,ip,user,site,group,fleet,notes
kiosk-001,10.0.0.1,pi,north,\"kiosks, lobby\",acme/kiosks,
kiosk-002,10.0.0.2,pi,north,kiosks,acme/kiosks,\"near the door, left\"
kiosk-003,,pi,south,kiosks,acme/kiosks,
";
        insta::assert_snapshot!(made(text.as_bytes(), &[]), @r###"
        hostname → name
        ip → host
        user → user
        site → site
        group → group
        fleet → fleet
        notes → vars.notes
        # Made of kiosks.csv by migos-fleet.
        migos: 1
        balena: { fleet: acme/kiosks, token: { env: BALENA_TOKEN } }
        # payloads: payloads/                     # see `migos-fleet payload build`
        # images: { raspberrypi3: images/… }       # see `migos-fleet image fetch`
        # data: none                              # if nothing on the cards is needed; see docs/data.md
        defaults: { ssh: { user: pi } }
        groups:
          kiosks:
            devices: ["kiosk-[001:003]"]
          lobby:
            devices: [kiosk-001]
          north:
            devices: ["kiosk-[001:002]"]
            site: north
          south:
            devices: [kiosk-003]
            site: south
        devices:
          kiosk-001: { host: 10.0.0.1 }
          kiosk-002: { host: 10.0.0.2, vars: { notes: "near the door, left" } }
        "###);
    }

    #[test]
    fn what_a_german_spreadsheet_saves() {
        // Windows-1252, semicolons, CRLF, and a cell of two lines.
        let text = "Gerätename;IP-Adresse;Standort;Seriennummer;Gesperrt;Preis;\r\n\
                    Kiosk Süd 1;10.0.0.1;Köln, Dom;765FC593;ja;1,50;\r\n\
                    \"Kiosk \"\"Nord\"\" 2\";10.0.0.2:2222;Köln, Dom;;\"Glas\r\nkaputt\";;\r\n\
                    ;;;;;;\r\n";
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let chosen = [("Gesperrt", "hold"), ("Preis", "")];
        insta::assert_snapshot!(made(&latin, &chosen), @r###"
        Gerätename → name
        IP-Adresse → host
        Standort → site
        Seriennummer → serial
        Gesperrt → hold, as told
        Preis → left out, as told
        (no name) → left out
        the table is not in UTF-8, so it was read as Windows-1252
        2 names have other characters than a device's name may have, and was written otherwise; as it was it stands under `vars: { label: … }`
        # Made of kiosks.csv by migos-fleet.
        migos: 1
        balena: { token: { env: BALENA_TOKEN } }   # and fleet: organisation/name
        # payloads: payloads/                     # see `migos-fleet payload build`
        # images: { raspberrypi3: images/… }       # see `migos-fleet image fetch`
        # data: none                              # if nothing on the cards is needed; see docs/data.md
        defaults: { site: "Köln, Dom" }
        devices:
          kiosk-sued-1: { host: 10.0.0.1, serial: "00000000765fc593", hold: marked under Gesperrt in kiosks.csv, vars: { label: Kiosk Süd 1 } }
          kiosk-nord-2: { host: 10.0.0.2, hold: Glas kaputt, ssh: { port: 2222 }, vars: { label: "Kiosk \"Nord\" 2" } }
        "###);
        let with_mark = format!("\u{feff}{text}");
        assert_eq!(
            made(with_mark.as_bytes(), &chosen).lines().last(),
            made(&latin, &chosen).lines().last()
        );
        let wide: Vec<u8> = with_mark.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(made(&wide, &chosen), made(with_mark.as_bytes(), &chosen));
    }

    #[test]
    fn what_is_wrong_is_told_in_its_row_and_column() {
        let text = "\
name\tport\tserial\thost\ttags\tfleet
pi-1\t70000\t1.23E+15\t10.0.0.1\tx\tkiosks
pi-1\t22\t00000000765fc593\t10.0.0.2\ta=b\tacme/k
pi-2\t22\t00000000765fc593\t10.0.0.2\t\tacme/k\tmore
\t22\t\t\t\t
";
        insta::assert_snapshot!(made(text.as_bytes(), &[("colour", "site"), ("port", "prot")]), @r###"
        kiosks.csv:1:1: --map colour=site: no column has this name
          hint: the columns are name, port, serial, host, tags, fleet
        kiosks.csv:1:1: --map port=prot: there is no such key
          hint: did you mean `port`?
        kiosks.csv:2:2: port: "70000" is not a port
          hint: write a number, such as 22
        kiosks.csv:2:3: serial: the spreadsheet has made a number of "1.23E+15"
          hint: format the column as text there, and fill it in again
        kiosks.csv:2:5: tags: "x" is not a tag of balena
          hint: write key=value; or make a variable of the column: --map tags=vars.tags
        kiosks.csv:2:6: fleet: "kiosks" is not a balena fleet
          hint: write it as organisation/fleet, such as acme/kiosks
        kiosks.csv:3:1: the device pi-1 stands on line 2, too
          hint: remove one of the two rows, or correct it
        kiosks.csv:4:1: the address 10.0.0.2 stands on line 3, too
          hint: remove one of the two rows, or correct it
        kiosks.csv:4:1: the serial number 00000000765fc593 stands on line 3, too
          hint: remove one of the two rows, or correct it
        kiosks.csv:4:7: "more" stands beside the table, under no column
          hint: put a text that has the delimiter in it in quotes
        kiosks.csv:5:1: the device has no name
          hint: fill in its name, or remove the row
        "###);
        insta::assert_snapshot!(made(b"name,group\na,x\nb,\"x,a\"\n", &[]), @r###"
        kiosks.csv:2:1: `a` is also the name of a group, on line 3
          hint: rename one of them, so that a pattern says which is meant
        "###);
        insta::assert_snapshot!(made(b"", &[]), @r###"
        kiosks.csv:1:1: the table is empty
          hint: write one device a row, below a row that names the columns
        "###);
        insta::assert_snapshot!(made(b"name,site\n", &[]), @r###"
        kiosks.csv:1:1: the table has no devices
          hint: write one device a row, below a row that names the columns
        "###);
        insta::assert_snapshot!(made(b"colour,size\nred,4\n", &[]), @r###"
        kiosks.csv:1:1: no column holds the names or the addresses of devices
          hint: say which one does: --map COLUMN=name; the columns are colour, size
        "###);
    }

    #[test]
    fn what_looks_like_something_else_stays_text() {
        let text =
            "name,Rack No.,vars.a,data,tags\n007,0012,yes,none,\"a=1; b=x y\"\n8,,no: way,none,\n";
        insta::assert_snapshot!(made(text.as_bytes(), &[]), @r###"
        name → name
        Rack No. → vars.rack_no
        vars.a → vars.a
        data → data
        tags → tags
        # Made of kiosks.csv by migos-fleet.
        migos: 1
        balena: { token: { env: BALENA_TOKEN } }   # and fleet: organisation/name
        # payloads: payloads/                     # see `migos-fleet payload build`
        # images: { raspberrypi3: images/… }       # see `migos-fleet image fetch`
        data: none
        devices:
          "007": { on_balena: { tags: { a: "1", b: x y } }, vars: { a: "yes", rack_no: "0012" } }
          "8": { vars: { a: "no: way" } }
        "###);
    }
}
