use proptest::prelude::*;

use super::*;
use crate::source::{Location, Reading, Source};

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

async fn opened(folder: &tempfile::TempDir) -> Result<Source, String> {
    Source::open(&Location::parse(&format!("csv:{}", folder.path().display())).unwrap(), Reading::default())
        .await
        .map_err(|e| e.to_string())
}

#[tokio::test]
async fn a_table_reads_with_nulls_bytes_and_times_and_in_any_case() {
    let rows = "id,\"Name\",DATA,at,ok\r\n1,\"a \"\"quote\"\",\nand a line\",\\xCAFE00,2015-07-01 10:11:12.5,1\r\n2,,,,\n3,\"\",\\N,\"2015-07-01-10.11.12.000001\",f\n-4,\"\\x41\",\"\\N\",2015-07-01,true";
    let folder = folder(&[("am_api.csv", format!("\u{feff}{rows}").as_bytes()), ("EMPTY.CSV", b"A,B\n"), ("notes.txt", b"\"")]);
    let source = opened(&folder).await.unwrap();
    assert_eq!(source.count("AM_API").await.unwrap(), 4);
    assert_eq!((source.count("empty").await.unwrap(), source.has("EMPTY", "b")), (0, true));
    let rows = source.scan("AM_API").all().await.unwrap();
    assert_eq!((rows[0].int("ID").unwrap(), rows[3].int("ID").unwrap()), (Some(1), Some(-4)));
    assert_eq!(rows[0].text("NAME").unwrap().unwrap(), "a \"quote\",\nand a line");
    assert_eq!(rows[0].bytes("data").unwrap().unwrap(), [0xca, 0xfe, 0]);
    assert_eq!(rows[0].timestamp("AT").unwrap().unwrap().to_string(), "2015-07-01 10:11:12.500");
    assert_eq!(rows[2].timestamp("AT").unwrap().unwrap().to_string(), "2015-07-01 10:11:12.000001");
    assert_eq!((rows[0].bool("OK").unwrap(), rows[2].bool("OK").unwrap()), (Some(true), Some(false)));
    // NULL, the empty text, and texts that only look like NULL and bytes.
    assert_eq!((rows[1].text("NAME").unwrap(), rows[1].bytes("DATA").unwrap(), rows[1].timestamp("AT").unwrap()), (None, None, None));
    assert_eq!((rows[2].text("NAME").unwrap().as_deref(), rows[2].bytes("DATA").unwrap()), (Some(""), None));
    assert_eq!((rows[3].text("NAME").unwrap().as_deref(), rows[3].text("DATA").unwrap().as_deref()), (Some("\\x41"), Some("\\N")));
    assert!(source.notes()[0].contains("nothing proves that they are whole"));
}

#[tokio::test]
async fn what_db2_exports_reads_with_its_large_objects() {
    let columns = "\"T\",\"ID\",0,\"INTEGER\"\n\"T\",\"DATA\",2,\"BLOB\"\n\"T\",\"NAME\",1,\"VARCHAR\"\n\"T\",\"AT\",3,\"TIMESTAMP\"\n";
    let rows =
        "1,\"one\",\"t.lob.001.0.3/\",\"2015-07-01-10.11.12.000000\"\n2,,\"t.lob.001.3.2/\",\n3,\"x\",,\n4,\"x\",\"t.lob.001.0.-1/\",\n";
    let files: [(&str, &[u8]); 3] = [("_columns.del", columns.as_bytes()), ("T.del", rows.as_bytes()), ("t.lob.001", &[0xff, 0, 1, 2, 3])];
    let folder_ = folder(&files);
    let rows = opened(&folder_).await.unwrap().scan("T").all().await.unwrap();
    assert_eq!(rows[0].bytes("DATA").unwrap().unwrap(), [0xff, 0, 1]);
    assert_eq!(rows[1].bytes("DATA").unwrap().unwrap(), [2, 3]);
    assert_eq!((rows[1].text("NAME").unwrap(), rows[2].bytes("DATA").unwrap(), rows[3].bytes("DATA").unwrap()), (None, None, None));
    assert_eq!(rows[0].timestamp("AT").unwrap().unwrap().to_string(), "2015-07-01 10:11:12");
    for place in ["t.lob.001.3.3/", "../t.lob.001.0.3/", "..0.3/", "gone.0.3/", "t.lob.001.x.3/", "t.lob.001"] {
        std::fs::write(folder_.path().join("T.del"), format!("1,\"a\",\"{place}\",\n")).unwrap();
        let error = opened(&folder_).await.unwrap().scan("T").all().await.unwrap_err().to_string();
        assert!(error.contains("T.del, line"), "{place}: {error}");
    }
    std::fs::write(folder_.path().join("U.del"), "1\n").unwrap();
    assert!(opened(&folder_).await.unwrap_err().contains("nothing names its columns"));
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_line() {
    for (text, expected) in [
        ("A,B\n1,2\n3\n", "line 4: a row has 1 fields for 2 columns"),
        ("A,B\n1,\"2\n3,4\n", "the file ends inside a quoted field that began in line 2"),
        ("A,B\n1,\"2\"x\n", "line 2: a quoted field is followed by"),
        ("A,,B\n", "the first line must name the columns"),
        ("", "the first line must name the columns"),
    ] {
        let error = opened(&folder(&[("T.csv", text.as_bytes())])).await.unwrap_err();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    assert!(opened(&folder(&[])).await.unwrap_err().contains("holds no TABLE.csv"));
    assert!(opened(&folder(&[("t.csv", b"A\n"), ("T.csv", b"A\n")])).await.unwrap_err().contains("two files for the table T"));
    let bad = folder(&[("T.csv", b"A\n\\xabc\n")]);
    let error = opened(&bad).await.unwrap().scan("T").all().await.unwrap_err().to_string();
    assert!(error.contains("hexadecimal"), "{error}");
    let changed = folder(&[("T.csv", b"A\n1\n2\n")]);
    let source = opened(&changed).await.unwrap();
    std::fs::write(changed.path().join("T.csv"), "A\n1\n").unwrap();
    let error = source.scan("T").all().await.unwrap_err().to_string();
    assert!(error.contains("changed while it was being read"), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(cells in proptest::collection::vec(proptest::option::of("[a,\"\n\r\\\\x é]{0,12}"), 1..20)) {
        let quoted = |cell: &Option<String>| cell.as_ref().map_or_else(String::new, |text| format!("\"{}\"", text.replace('"', "\"\"")));
        let mut text = "N,T\n".to_owned();
        for (at, cell) in cells.iter().enumerate() {
            text.push_str(&format!("{at},{}\n", quoted(cell)));
        }
        let folder = folder(&[("T.csv", text.as_bytes())]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let rows = runtime.block_on(async { opened(&folder).await.unwrap().scan("T").all().await.unwrap() });
        let read: Vec<Option<String>> = rows.iter().map(|row| row.text("T").unwrap()).collect();
        prop_assert_eq!(read, cells);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Folder::open(folder(&[("T.csv", &bytes)]).path());
    }
}
