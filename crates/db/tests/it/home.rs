//! The data directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use db::home::{DataDir, HomeFault};
use model::Secret;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_fresh_directory_and_its_key_are_the_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a").join("data");
    let home = DataDir::open_or_create(&path).unwrap();
    assert_eq!((home.path(), mode(&path)), (path.as_path(), 0o700));
    let key = home.encryption_key(None).unwrap();
    assert_eq!(mode(&path.join("encryption.key")), 0o600);
    let again = DataDir::open_or_create(&path).unwrap().encryption_key(None).unwrap();
    assert_eq!(key, again);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "no draft or probe is left");
    assert!(home.default_url().shown().ends_with("data/tidegate.db"));
}

#[test]
fn two_starts_at_once_agree_on_one_key() {
    let parent = tempfile::tempdir().unwrap();
    let home = DataDir::open_or_create(parent.path()).unwrap();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let home = home.clone();
            std::thread::spawn(move || home.encryption_key(None))
        })
        .collect();
    let keys: Vec<_> = starts.into_iter().map(|s| s.join().unwrap().unwrap()).collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_given_key_is_used_and_not_written() {
    let parent = tempfile::tempdir().unwrap();
    let home = DataDir::open_or_create(parent.path()).unwrap();
    let given = Secret::new(format!("{}=\n", "A".repeat(43)));
    assert_eq!(home.encryption_key(Some(&given)).unwrap().expose(), &[0; 32]);
    assert!(!parent.path().join("encryption.key").exists());
    let short = home.encryption_key(Some(&Secret::new("AAAA".to_owned()))).unwrap_err();
    assert!(matches!(short, HomeFault::KeyMalformed { .. }));
    assert!(!short.to_string().contains("AAAA"));
}

#[test]
fn a_lost_key_is_not_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let home = DataDir::open_or_create(parent.path()).unwrap();
    fs::write(parent.path().join("tidegate.db"), "").unwrap();
    assert!(matches!(home.encryption_key(None), Err(HomeFault::KeyMissing { .. })));
    assert!(!parent.path().join("encryption.key").exists());
}

#[test]
fn a_spoilt_key_file_is_told_and_kept() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("encryption.key");
    let home = DataDir::open_or_create(parent.path()).unwrap();
    for text in ["", "not base64!", "AAAA", &"A".repeat(4096)] {
        fs::write(&file, text).unwrap();
        assert!(matches!(home.encryption_key(None), Err(HomeFault::KeyMalformed { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn a_file_in_the_way_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("data");
    fs::write(&file, "").unwrap();
    assert!(matches!(DataDir::open_or_create(&file), Err(HomeFault::NotADirectory { path }) if path == file));
    assert!(matches!(DataDir::open_or_create(&file.join("below")), Err(HomeFault::Denied { .. })));
}
