//! Makes page store files, as small and as strange as a test wants them. It shares no code with the reader.

use std::path::Path;

pub(crate) const MAGIC: &[u8; 16] = b"-- H2 0.5/B -- \n";

/// The tags and forms a writer may choose.
pub(crate) mod put {
    pub(crate) fn var(number: u64) -> Vec<u8> {
        let mut rest = number;
        let mut bytes = Vec::new();
        loop {
            let low = (rest & 0x7f) as u8;
            rest >>= 7;
            if rest == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    }

    pub(crate) fn var_i32(number: i32) -> Vec<u8> {
        var(u64::from(number as u32))
    }

    pub(crate) fn null() -> Vec<u8> {
        vec![0]
    }

    pub(crate) fn int(number: i32) -> Vec<u8> {
        match number {
            0..=15 => vec![32 + number as u8],
            ..0 => [vec![66], var_i32(number.wrapping_neg())].concat(),
            _ => [vec![4], var_i32(number)].concat(),
        }
    }

    pub(crate) fn long(number: i64) -> Vec<u8> {
        [vec![5], var(number as u64)].concat()
    }

    pub(crate) fn text(text: &str) -> Vec<u8> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut bytes = if units.len() < 32 { vec![68 + units.len() as u8] } else { [vec![13], var(units.len() as u64)].concat() };
        for unit in units {
            match unit {
                0..0x80 => bytes.push(unit as u8),
                0x80..0x800 => bytes.extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]),
                _ => bytes.extend([0xe0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8]),
            }
        }
        bytes
    }

    pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
        [vec![12], var(content.len() as u64), content.to_vec()].concat()
    }

    /// `kind` is 15 for a blob, 16 for a clob.
    pub(crate) fn small_lob(kind: u8, content: &[u8]) -> Vec<u8> {
        [vec![kind], var(content.len() as u64), content.to_vec()].concat()
    }

    pub(crate) fn file_lob(kind: u8, table: i32, object: i32, length: i64, compressed: bool) -> Vec<u8> {
        let parts = [var_i32(-1), var_i32(table), var_i32(object), var(length as u64), vec![u8::from(compressed)]];
        [vec![kind], parts.concat()].concat()
    }

    pub(crate) fn block_lob(kind: u8, table: i32, lob: i64, length: i64) -> Vec<u8> {
        [vec![kind], var_i32(-3), var_i32(table), var(lob as u64), var(length as u64)].concat()
    }
}

/// A row: its key and its encoded values.
pub(crate) type Row = (i64, Vec<Vec<u8>>);

pub(crate) struct Tree {
    id: i32,
    columns: usize,
    rows: Vec<Row>,
}

/// A database in the making.
pub(crate) struct Writer {
    page_size: usize,
    trees: Vec<Tree>,
    system: Vec<Row>,
    meta: Vec<Row>,
    key_columns: Vec<(i32, usize)>,
    log: Option<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new(page_size: usize) -> Writer {
        let build = (1, vec![put::int(1), put::int(0), put::int(6), put::text("SET CREATE_BUILD 175")]);
        Writer { page_size, trees: vec![], system: vec![build], meta: vec![], key_columns: vec![], log: None }
    }

    pub(crate) fn table(&mut self, id: i32, sql: &str, columns: usize, rows: Vec<Row>) -> &mut Self {
        self.statement(id, sql);
        self.trees.push(Tree { id, columns, rows });
        self
    }

    pub(crate) fn statement(&mut self, id: i32, sql: &str) -> &mut Self {
        self.system.push((i64::from(id), vec![put::null(), put::int(0), put::int(0), put::text(sql)]));
        self
    }

    /// Says that this column is the table's key.
    pub(crate) fn key_column(&mut self, table: i32, column: usize) -> &mut Self {
        self.key_columns.push((table, column));
        self
    }

    pub(crate) fn log(&mut self, entries: Vec<u8>) -> &mut Self {
        self.log = Some(entries);
        self
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.bytes()).unwrap();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = Pages { size: self.page_size, pages: vec![vec![0; self.page_size]; 5] };
        let mut meta = self.meta.clone();
        let mut system = Tree { id: 0, columns: 4, rows: self.system.clone() };
        system.rows.sort_by_key(|row| row.0);
        for tree in [&system].into_iter().chain(&self.trees) {
            let root = file.reserve();
            file.tree(root, tree);
            meta.push(meta_row(tree.id, 0, 0, root, "OFF,0,,", &vec![""; tree.columns].join(",")));
        }
        for (at, (table, column)) in self.key_columns.iter().enumerate() {
            meta.push(meta_row(900_000 + at as i32, 1, *table, 0, "OFF,0,,d", &column.to_string()));
        }
        meta.sort_by_key(|row| row.0);
        file.tree(4, &Tree { id: -1, columns: 6, rows: meta });
        let log = self.log.as_ref().map_or([0, 0], |log| file.log(log));
        file.finish(log)
    }
}

/// A line of the catalogue of trees.
pub(crate) fn meta_row(id: i32, kind: i32, parent: i32, root: u32, options: &str, columns: &str) -> Row {
    let values = vec![put::int(id), put::int(kind), put::int(parent), put::int(root as i32), put::text(options), put::text(columns)];
    (i64::from(id) + 1, values)
}

struct Pages {
    size: usize,
    pages: Vec<Vec<u8>>,
}

pub(crate) const LOG_KEY: i32 = 9;

impl Pages {
    fn reserve(&mut self) -> u32 {
        self.pages.push(vec![0; self.size]);
        self.pages.len() as u32 - 1
    }

    fn put(&mut self, id: u32, mut page: Vec<u8>) {
        assert!(page.len() <= self.size, "the writer made a page of {} bytes", page.len());
        page.resize(self.size, 0);
        self.pages[id as usize] = page;
    }

    /// Leaves as full as they get, then as many levels of nodes above them as it takes to end in `root`.
    fn tree(&mut self, root: u32, tree: &Tree) {
        let mut groups: Vec<Vec<Row>> = vec![vec![]];
        for row in &tree.rows {
            let mut longer = groups.last().unwrap().clone();
            longer.push(row.clone());
            if self.leaf_bytes(tree, &longer) > self.size && longer.len() > 1 {
                groups.push(vec![row.clone()]);
            } else {
                *groups.last_mut().unwrap() = longer;
            }
        }
        self.level(root, 0, tree, &groups);
    }

    fn level(&mut self, id: u32, parent: u32, tree: &Tree, groups: &[Vec<Row>]) {
        if let [rows] = groups {
            return self.leaf(id, parent, tree, rows);
        }
        let fanout = (self.size - 32) / 16;
        let share = groups.len().div_ceil(fanout).max(1);
        let parts: Vec<&[Vec<Row>]> = groups.chunks(share).collect();
        let mut children = Vec::new();
        for part in &parts {
            let child = self.reserve();
            self.level(child, id, tree, part);
            children.push((child, part.last().unwrap().last().unwrap().0));
        }
        let rows: usize = groups.iter().map(Vec::len).sum();
        let mut page = head(2, parent);
        page.extend(put::var_i32(tree.id));
        page.extend((rows as i32).to_be_bytes());
        page.extend((children.len() as u16 - 1).to_be_bytes());
        let (last, others) = children.split_last().unwrap();
        page.extend(last.0.to_be_bytes());
        for (child, largest) in others {
            page.extend(child.to_be_bytes());
            page.extend(put::var(*largest as u64));
        }
        self.put(id, page);
    }

    fn leaf_bytes(&self, tree: &Tree, rows: &[Row]) -> usize {
        let heads: usize = rows.iter().map(|row| put::var(row.0 as u64).len() + 2).sum();
        let data: usize = rows.iter().map(|row| row.1.concat().len()).sum();
        7 + put::var_i32(tree.id).len() + put::var(tree.columns as u64).len() + 2 + heads + data
    }

    fn leaf(&mut self, id: u32, parent: u32, tree: &Tree, rows: &[Row]) {
        if let [row] = rows
            && self.leaf_bytes(tree, rows) > self.size
        {
            return self.long_leaf(id, parent, tree, row);
        }
        let mut page = head(17, parent);
        page.extend(put::var_i32(tree.id));
        page.extend(put::var(tree.columns as u64));
        page.extend((rows.len() as u16).to_be_bytes());
        let mut at = self.size;
        let mut data = Vec::new();
        for (key, values) in rows {
            let values = values.concat();
            at -= values.len();
            page.extend(put::var(*key as u64));
            page.extend((at as u16).to_be_bytes());
            data.splice(0..0, values);
        }
        page.resize(at, 0);
        page.extend(data);
        self.put(id, page);
    }

    fn long_leaf(&mut self, id: u32, parent: u32, tree: &Tree, row: &Row) {
        let values = row.1.concat();
        let first = self.reserve();
        let mut page = head(1, parent);
        page.extend(put::var_i32(tree.id));
        page.extend(put::var(tree.columns as u64));
        page.extend(1u16.to_be_bytes());
        page.extend(first.to_be_bytes());
        page.extend(put::var(row.0 as u64));
        let begin = page.len() + 2;
        page.extend((begin as u16).to_be_bytes());
        let (here, mut rest) = values.split_at(self.size - begin);
        page.extend(here);
        self.put(id, page);
        let (mut this, mut previous) = (first, id);
        while rest.len() > self.size - 9 {
            let next = self.reserve();
            let (part, more) = rest.split_at(self.size - 11);
            self.put(this, [head(3, previous), next.to_be_bytes().to_vec(), part.to_vec()].concat());
            (previous, this, rest) = (this, next, more);
        }
        self.put(this, [head(19, previous), (rest.len() as u16).to_be_bytes().to_vec(), rest.to_vec()].concat());
    }

    /// Spreads the entries over data pages, three to a trunk, and returns the first trunk and data page.
    fn log(&mut self, entries: &[u8]) -> [u32; 2] {
        let mut parts: Vec<&[u8]> = entries.chunks(self.size - 11).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let mut trunks: Vec<(u32, Vec<u32>)> = Vec::new();
        for (at, group) in parts.chunks(3).enumerate() {
            let trunk = self.reserve();
            let key = LOG_KEY + at as i32;
            let mut ids = Vec::new();
            for part in group {
                let id = self.reserve();
                self.put(id, [head(8, trunk), key.to_be_bytes().to_vec(), part.to_vec()].concat());
                ids.push(id);
            }
            // One more page that was reserved and never written, as H2 leaves them.
            ids.push(self.reserve());
            trunks.push((trunk, ids));
        }
        for (at, (trunk, ids)) in trunks.iter().enumerate() {
            let parent = if at == 0 { 0 } else { trunks[at - 1].0 };
            let next = trunks.get(at + 1).map_or(0, |next| next.0);
            let mut page = head(7, parent);
            page.extend((LOG_KEY + at as i32).to_be_bytes());
            page.extend(next.to_be_bytes());
            // A page that was not written ends the log, so only the last trunk may list one.
            let ids = if next == 0 { &ids[..] } else { &ids[..ids.len() - 1] };
            page.extend((ids.len() as u16).to_be_bytes());
            page.extend(ids.iter().flat_map(|id| id.to_be_bytes()));
            self.put(*trunk, page);
        }
        [trunks[0].0, trunks[0].1[0]]
    }

    fn finish(mut self, log: [u32; 2]) -> Vec<u8> {
        let mut fixed = MAGIC.repeat(3);
        fixed.extend((self.size as i32).to_be_bytes());
        fixed.extend([3, 3]);
        self.put(0, fixed);
        let mut changing = 77u64.to_be_bytes().to_vec();
        changing.extend(LOG_KEY.to_be_bytes());
        changing.extend(log.iter().flat_map(|page| page.to_be_bytes()));
        changing.resize(self.size - 4, 0);
        let page = [crc32(&changing).to_be_bytes().to_vec(), changing].concat();
        self.put(1, page.clone());
        self.put(2, page);
        for id in 3..self.pages.len() {
            seal(&mut self.pages[id], id as u32);
        }
        self.pages.concat()
    }
}

fn head(kind: u8, parent: u32) -> Vec<u8> {
    [vec![kind, 0, 0], parent.to_be_bytes().to_vec()].concat()
}

/// Puts a right checksum on a page.
pub(crate) fn seal(page: &mut [u8], id: u32) {
    if page[0] == 0 {
        return;
    }
    let size = page.len();
    let (mut one, mut two) = (255 + u32::from(page[0]), 510 + u32::from(page[0]));
    for at in [6, size / 2 - 1, size / 2, size - 2, size - 1] {
        one += u32::from(page[at]);
        two += one;
    }
    page[1] = ((one & 255) + (one >> 8)) as u8 ^ id as u8;
    page[2] = ((two & 255) + (two >> 8)) as u8 ^ (id >> 8) as u8;
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// A large object's own file: header, then chunks padded to 16 bytes.
pub(crate) fn lob_file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut file = MAGIC.repeat(3);
    for chunk in chunks {
        let mut padded = (chunk.len() as i32).to_be_bytes().to_vec();
        padded.extend(chunk);
        padded.resize((padded.len() + 2).div_ceil(16) * 16, 0);
        file.extend(padded);
    }
    file
}

/// A database with all kinds of places in it: small and continued rows, a tree of several levels, both homes of large
/// objects. `folder` gets the files of large objects.
pub(crate) fn shop(folder: &Path) -> Writer {
    let mut writer = Writer::new(256);
    let long = "long ".repeat(300);
    let items = (1..=400).map(|id: i32| {
        let note = if id % 50 == 0 { put::text(&long) } else { put::text(&format!("note {id}")) };
        (i64::from(id), vec![put::null(), note])
    });
    writer.table(12, "CREATE CACHED TABLE PUBLIC.ITEMS(\n    ID INTEGER NOT NULL,\n    NOTE VARCHAR(9000)\n)", 2, items.collect());
    writer.key_column(12, 0);
    writer.table(13, "CREATE CACHED TABLE PUBLIC.EMPTY(\n    A BIGINT\n)", 1, vec![]);
    let picture: Vec<u8> = (0..30_000u32).map(|at| (at % 251) as u8).collect();
    let letters = vec![
        (1, vec![put::int(1), put::small_lob(16, "short é".as_bytes()), put::small_lob(15, &[1, 2, 3])]),
        (2, vec![put::int(2), put::file_lob(16, 14, 1, 5000, false), put::null()]),
        (3, vec![put::int(3), put::null(), put::block_lob(15, 14, 1, 30_000)]),
    ];
    writer.table(14, "CREATE CACHED TABLE PUBLIC.LETTERS(\n    ID BIGINT,\n    BODY CLOB,\n    PICTURE BLOB\n)", 3, letters);
    lob_tables(&mut writer, &[(1, vec![(0, picture[..20_000].to_vec()), (0, picture[20_000..].to_vec())])]);
    let lobs = folder.join("shop.lobs.db");
    std::fs::create_dir_all(&lobs).unwrap();
    std::fs::write(lobs.join("1.t14.lob.db"), lob_file(&[vec![b'a'; 4096], vec![b'b'; 904]])).unwrap();
    writer
}

/// A block of a large object: compression flag and bytes.
pub(crate) type Block = (i32, Vec<u8>);

/// The three tables of large objects inside the database. Each object is a list of blocks: compression flag and bytes.
pub(crate) fn lob_tables(writer: &mut Writer, objects: &[(i64, Vec<Block>)]) {
    let (mut lobs, mut map, mut data) = (vec![], vec![], vec![]);
    for (lob, blocks) in objects {
        let length: usize = blocks.iter().filter(|block| block.0 == 0).map(|block| block.1.len()).sum();
        lobs.push((*lob, vec![put::null(), put::long(length as i64), put::int(14)]));
        for (seq, (compressed, bytes)) in blocks.iter().enumerate() {
            let block = data.len() as i64 + 1;
            let key = map.len() as i64 + 1;
            map.push((key, vec![put::long(*lob), put::int(seq as i32), put::long(0), put::int(7), put::long(block)]));
            data.push((block, vec![put::null(), put::int(*compressed), put::bytes(bytes)]));
        }
    }
    let start = "CREATE CACHED TABLE IF NOT EXISTS INFORMATION_SCHEMA";
    writer.table(2, &format!("{start}.LOBS(\n ID BIGINT NOT NULL,\n BYTE_COUNT BIGINT,\n \"TABLE\" INT\n)\nHIDDEN"), 3, lobs);
    writer.table(3, &format!("{start}.LOB_MAP(\n LOB BIGINT,\n SEQ INT,\n POS BIGINT,\n HASH INT,\n BLOCK BIGINT\n)\nHIDDEN"), 5, map);
    writer.table(4, &format!("{start}.LOB_DATA(\n BLOCK BIGINT,\n COMPRESSED INT,\n DATA BINARY\n)\nHIDDEN"), 3, data);
    writer.key_column(2, 0).key_column(4, 0);
}
