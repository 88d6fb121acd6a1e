#![allow(clippy::unwrap_used)]
use super::*;
use crate::board::Revision;

const PI_4: BoardFacts =
    BoardFacts { revision: Revision(0xc03111), serial: Some(0x1000_0000_765f_c593) };

fn kept(text: &str) -> Kept {
    from_config_txt(&ConfigTxt::parse(text.as_bytes()), &PI_4)
}

/// Variables without their common beginning, then what is dropped.
fn told(text: &str) -> String {
    let kept = kept(text);
    let variables = kept
        .variables
        .iter()
        .map(|(name, value)| format!("+ {}={value}", name.strip_prefix(PREFIX).unwrap()));
    let dropped =
        kept.dropped.iter().map(|it| format!("- {}: {}", it.line.replace('\r', "␍"), it.why));
    variables.chain(dropped).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_kiosk_keeps_its_screen_its_clock_and_its_sound() {
    let text = "\
# A kiosk, upright
dtparam=i2c_arm=on,spi=on
dtparam=audio=on
display_rotate=1
hdmi_cvt=1080 1920 60 6
hdmi_group=2
gpu_mem=128
start_x=1
dtoverlay=vc4-fkms-v3d
dtoverlay=i2c-rtc,ds3231
dtoverlay=ads7846,penirq=25
dtparam=swapxy=1
gpio=17=op,dl
gpio=4-7=ip,pu
[all]
kernel=old.img
arm_64bit=0
start_file=start_x.elf
";
    insta::assert_snapshot!(told(text), @r#"
    + display_rotate=1
    + dtoverlay="vc4-fkms-v3d","i2c-rtc,ds3231","ads7846,penirq=25,swapxy=1"
    + dtparam="i2c_arm=on","spi=on","audio=on"
    + gpio="17=op,dl","4-7=ip,pu"
    + gpu_mem=128
    + hdmi_cvt=1080 1920 60 6
    + hdmi_group=2
    + start_x=1
    - kernel=old.img: balenaOS decides what is booted, and how
    - arm_64bit=0: balenaOS decides what is booted, and how
    - start_file=start_x.elf: it names firmware without which the board would not start, and which balenaOS may not have
    "#);
}

#[test]
fn sections_are_decided_for_this_very_board() {
    let text = "\
[pi3]
gpu_mem=64
include pi3.txt
[pi4]
hdmi_mode=82
[0x765fc593]
hdmi_group=2
[0x1]
hdmi_group=1
[all]
[gpio4=1]
lcd_rotate=2
dtoverlay=i2c-rtc,ds3231
[all]
dtparam=wakeup=1
dtparam=audio=on
[none]
display_rotate=3
[pi6]
display_rotate=1
[all]
[EDID=VSC-TD2220]
# a comment
hdmi_drive=2
";
    insta::assert_snapshot!(told(text), @r#"
    + dtparam="audio=on"
    + hdmi_group=2
    + hdmi_mode=82
    - lcd_rotate=2: only the board itself can tell at its start whether [gpio4=1] applies
    - dtoverlay=i2c-rtc,ds3231: only the board itself can tell at its start whether [gpio4=1] applies
    - dtparam=wakeup=1: it may be meant for an overlay that is not kept
    - display_rotate=1: only the board itself can tell at its start whether [pi6] applies
    - hdmi_drive=2: only the board itself can tell at its start whether [EDID=VSC-TD2220] applies
    "#);
}

#[test]
fn of_a_key_the_last_line_counts_and_lists_add_up() {
    let text = "\
hdmi_mode=1
hdmi_mode=4
arm_freq=900
arm_freq=2000
over_voltage=-2
dtparam=spi=on
dtparam=spi=off
";
    insta::assert_snapshot!(told(text), @r#"
    + dtparam="spi=on","spi=off"
    + hdmi_mode=4
    + over_voltage=-2
    - arm_freq=2000: it drives the board harder than it is made for, so a person sets it once the device has proven stable
    "#);
}

#[test]
fn overlays_are_kept_in_the_form_that_the_supervisor_gives_back() {
    let text = "\
dtoverlay=
dtoverlay=vc4-kms-v3d,audio=off,cma-256,
dtparam=audio=on
dtoverlay=sdtweak,overclock_50=100
dtoverlay=
dtparam=act_led_trigger=heartbeat
dtparam=sd_overclock=100
dtoverlay=lirc-rpi:gpio_out_pin=17
device_tree_overlay=old
";
    insta::assert_snapshot!(told(text), @r#"
    + device_tree_overlay="old"
    + dtoverlay="vc4-kms-v3d,cma-256","sdtweak","lirc-rpi:gpio_out_pin=17"
    + dtparam="audio=on","act_led_trigger=heartbeat"
    - dtoverlay=: balena has no word for it, so the overlay of a HAT will be loaded
    - dtoverlay=vc4-kms-v3d,audio=off,cma-256,: without audio=off, since balena takes every parameter of this name for the board's
    - dtoverlay=sdtweak,overclock_50=100: without overclock_50=100, since it drives the board harder than it is made for, so a person sets it once the device has proven stable
    - dtparam=sd_overclock=100: it drives the board harder than it is made for, so a person sets it once the device has proven stable
    "#);
}

#[test]
fn nasty_texts_are_read_as_far_as_the_firmware_would() {
    let long = format!("hdmi_timings={}", "1 ".repeat(60));
    let text = format!(
        "gpu_mem=64  \r\n  disable_overscan=1\r\nlcd_rotate = 2\r\nDISPLAY_ROTATE=1\r\nhdmi_mode:1=4\r\n\
         gpu_mem 16\r\nhdmi_drive=\r\ncec_osd_name=K\u{fc}che\r\n{long}\r\ndecode_MPG2=0x1234\r\n\
         initramfs a.img followkernel\r\nframebuffer_width=1\rframebuffer_height=2\r\nwarp=9\r\n\
         cec_osd_name=say \"x\\y\"\r\ngpio=1=op,\"\\\r\n"
    );
    insta::assert_snapshot!(told(&text), @r#"
    + cec_osd_name=say "x\y"
    + decode_MPG2=0x1234
    + disable_overscan=1
    + gpio="1=op,\"\\"
    + gpu_mem=64
    - lcd_rotate = 2: it is not spelt key=value, so the firmware may ignore it
    - DISPLAY_ROTATE=1: it is not spelt key=value, so the firmware may ignore it
    - hdmi_mode:1=4: balena takes names of letters, digits and underscores only
    - gpu_mem 16: it is not understood
    - hdmi_drive=: it has no value
    - cec_osd_name=Küche: it is not spelt key=value, so the firmware may ignore it
    - hdmi_timings=1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1: it is longer than the firmware reads
    - initramfs a.img followkernel: balenaOS decides what is booted, and how
    - framebuffer_width=1␍framebuffer_height=2: it is not spelt key=value, so the firmware may ignore it
    - warp=9: it is not known what it does on balenaOS
    "#);
}

#[test]
fn below_an_included_file_nobody_knows_whom_a_line_is_for() {
    let text = "gpu_mem=64\ninclude more.txt\nlcd_rotate=2\n[all]\nhdmi_mode=4\n";
    insta::assert_snapshot!(told(text), @"
    + gpu_mem=64
    + hdmi_mode=4
    - include more.txt: what the included file says is not read
    - lcd_rotate=2: a file included above it, or a section not understood, may say whom it is for
    ");
}

#[test]
fn the_decoy_at_the_old_place_says_nothing() {
    assert_eq!(kept("DO NOT EDIT THIS FILE\ngpu_mem=64\n"), Kept::default());
    assert_eq!(kept(""), Kept::default());
}
