//! The header of a program: ELF, of 64 bits.

/// Of a header: the word size and byte order of x86-64.
const IDENTITY: &[u8] = b"\x7fELF\x02\x01";
/// The number of x86-64.
const X86_64: u16 = 62;
/// The types of an executable file, at a fixed and at any address.
const EXECUTABLE: [u16; 2] = [2, 3];
/// The type of the segment that names the program that loads libraries.
const INTERPRETER: u32 = 3;

/// Checks that a program runs in an empty root file system of `linux/amd64`.
///
/// # Errors
/// What was expected and found.
pub(super) fn check_static(program: &[u8]) -> Result<(), String> {
    if !program.starts_with(IDENTITY) {
        return Err("expected a program for Linux, an ELF file of 64 bits".to_owned());
    }
    let cut = || "expected a program, found an ELF file that is cut".to_owned();
    let machine = number(program, 18, 2).ok_or_else(cut)?;
    if machine != u64::from(X86_64) {
        return Err(format!(
            "expected a program for x86-64 (machine {X86_64}), found machine {machine}"
        ));
    }
    let kind = number(program, 16, 2).ok_or_else(cut)?;
    if !EXECUTABLE.iter().any(|it| u64::from(*it) == kind) {
        return Err(format!("expected an executable file, found an ELF file of type {kind}"));
    }
    let table = number(program, 32, 8).ok_or_else(cut)?;
    let size = number(program, 54, 2).ok_or_else(cut)?;
    let count = number(program, 56, 2).ok_or_else(cut)?;
    for index in 0..count {
        let segment = table.checked_add(index * size).ok_or_else(cut)?;
        if number(program, segment, 4).ok_or_else(cut)? != u64::from(INTERPRETER) {
            continue;
        }
        let field = |offset: u64| segment.checked_add(offset).and_then(|at| number(program, at, 8));
        let (start, length) = field(8).zip(field(32)).ok_or_else(cut)?;
        let name = slice(program, start, length).ok_or_else(cut)?;
        let name = String::from_utf8_lossy(name);
        return Err(format!(
            "expected a statically linked program, found one that needs {}: \
             build it with RUSTFLAGS='-C target-feature=+crt-static'",
            name.trim_end_matches('\0')
        ));
    }
    Ok(())
}

/// The little-endian number of up to eight bytes at an offset.
fn number(program: &[u8], at: u64, length: u64) -> Option<u64> {
    let bytes = slice(program, at, length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

fn slice(program: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let (start, end) = (at, at.checked_add(length)?);
    program.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A program with these segments: their types, and the content of the last.
    pub(in super::super) fn program(segments: &[u32], content: &str) -> Vec<u8> {
        let mut program = vec![0; 64];
        program[..6].copy_from_slice(IDENTITY);
        program[16] = 3;
        program[18] = 62;
        program[32] = 64;
        program[54] = 56;
        program[56] = u8::try_from(segments.len()).unwrap();
        let end = 64 + 56 * segments.len() as u64;
        for kind in segments {
            let mut segment = [0; 56];
            segment[..4].copy_from_slice(&kind.to_le_bytes());
            segment[8..16].copy_from_slice(&end.to_le_bytes());
            segment[32..40].copy_from_slice(&(content.len() as u64).to_le_bytes());
            program.extend(segment);
        }
        program.extend(content.as_bytes());
        program
    }

    #[test]
    fn only_static_programs_are_accepted() {
        let check =
            |program: &[u8], expected: Result<(), &str>| match (check_static(program), expected) {
                (Ok(()), Ok(())) => (),
                (Err(error), Err(words)) => assert!(error.contains(words), "{error}"),
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            };
        let whole = program(&[6, 1, 1], "code");
        check(&whole, Ok(()));
        let dynamic = program(&[6, INTERPRETER, 1], "/lib64/ld-linux-x86-64.so.2\0");
        check(&dynamic, Err("needs /lib64/ld-linux-x86-64.so.2: build it with"));
        check(b"#!/bin/sh\n", Err("expected a program for Linux"));
        check(b"", Err("expected a program for Linux"));
        let changed = |at: usize, byte: u8| {
            let mut program = whole.clone();
            program[at] = byte;
            program
        };
        check(&changed(18, 183), Err("found machine 183"));
        check(&changed(16, 1), Err("type 1"));
        check(&changed(4, 1), Err("expected a program for Linux"));
        check(&changed(39, 255), Err("is cut"));
        check(&dynamic[..dynamic.len() - 1], Err("is cut"));
        for length in 6..64 + 56 * 3 - 52 {
            check(&whole[..length], Err("is cut"));
        }
    }

    #[test]
    fn this_program_is_dynamic() {
        if cfg!(all(
            target_os = "linux",
            target_arch = "x86_64",
            not(target_feature = "crt-static")
        )) {
            let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
            assert!(check_static(&this).unwrap_err().contains("ld-linux-x86-64"));
        }
    }
}
