//! One violation of each ban of the core crates, each with the lints that must fire on its line, or
//! with `^` on the line before.
//! If one does not, `cargo clippy` no longer protects the core.

pub fn undocumented() {} //~ missing_docs

mod private {
    pub fn unreachable() {} //~ unreachable_pub
}

/// Unsafe.
pub fn unsafely(byte: &u8) -> u8 {
    unsafe { std::ptr::read(byte) } //~ unsafe_code
}

/// Panics.
pub fn panics(value: Option<u8>, bytes: &[u8], text: &str) -> usize {
    let _ = value.unwrap(); //~ unwrap_used
    let _ = value.expect("a value"); //~ expect_used
    let _ = bytes[0]; //~ indexing_slicing
    let _ = &text[1..]; //~ string_slice
    match bytes.len() {
        1 => panic!("one"),         //~ panic
        2 => unreachable!("two"),   //~ unreachable
        3 => todo!(),               //~ todo
        4 => unimplemented!(),      //~ unimplemented
        5 => std::process::exit(5), //~ exit
        6 => std::process::abort(), //~ disallowed_methods
        len => len + 1,             //~ arithmetic_side_effects
    }
}

/// Casts.
pub fn casts(wide: u64, signed: i64) -> (u8, u64, i64) {
    (
        wide as u8,    //~ cast_possible_truncation
        signed as u64, //~ cast_sign_loss
        wide as i64,   //~ cast_possible_wrap
    )
}

/// Floats.
pub fn floats(narrow: f32, //~ disallowed_types
) -> bool {
    let wide: f64 = 1_u64.wrapping_add(1) as f64; //~ cast_precision_loss disallowed_types
    wide * wide > narrow.into() //~ float_arithmetic
}

/// Output.
pub fn output() {
    println!("out"); //~ print_stdout
    eprintln!("error"); //~ print_stderr
    dbg!(); //~ dbg_macro
}

/// Hash order.
pub fn hash_order(
    map: &std::collections::HashMap<u8, u8>, //~ disallowed_types
    set: &std::collections::HashSet<u8>,     //~ disallowed_types
) -> u8 {
    let _ = set;
    let mut sum = 0_u8;
    for value in map.values() {
        //~^ iter_over_hash_type
        sum = sum.wrapping_add(*value);
    }
    sum
}

/// Clocks.
pub fn clocks() {
    let _: std::time::Instant = //~ disallowed_types
        std::time::Instant::now(); //~ disallowed_methods
    let _: std::time::SystemTime = //~ disallowed_types
        std::time::SystemTime::now(); //~ disallowed_methods
}

/// Threads.
pub fn threads() {
    let _ = std::thread::spawn(|| ()); //~ disallowed_methods
    std::thread::scope(|_| ()); //~ disallowed_methods
    std::thread::sleep(std::time::Duration::ZERO); //~ disallowed_methods
    let _ = std::thread::current(); //~ disallowed_methods
    let _ = std::thread::available_parallelism(); //~ disallowed_methods
}

/// The world outside.
pub fn world() {
    let _ = std::env::var("HOME"); //~ disallowed_methods
    let _ = std::env::args(); //~ disallowed_methods
    let _ = std::fs::read("file"); //~ disallowed_methods
    let _ = std::fs::read_to_string("file"); //~ disallowed_methods
    let _ = std::fs::write("file", "text"); //~ disallowed_methods
    let _ = std::fs::File::open("file"); //~ disallowed_methods
    let _ = std::fs::File::create("file"); //~ disallowed_methods
    let _ = std::net::TcpStream::connect("localhost:1"); //~ disallowed_methods
    let _ = std::net::TcpListener::bind("localhost:1"); //~ disallowed_methods
    let _ = std::net::UdpSocket::bind("localhost:1"); //~ disallowed_methods
    let _ = std::process::Command::new("true"); //~ disallowed_methods
    let _ = std::hash::RandomState::new(); //~ disallowed_methods
}

/// More lines than a function may have.
pub fn long(number: u8) -> u8 {
    //~^ too_many_lines
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    let number = number.wrapping_add(1);
    number
}
