#!/bin/sh
# Makes the sounds of the services (*44, *45), of failed calls and of star codes again: headerless G.711 mu-law, 8 kHz, mono.
# Needs espeak-ng and sox. The results are committed, so nobody else needs them.
set -eu
cd "$(dirname "$0")/../src/media/service/sounds"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Words: speech without silence around it, within the telephone band, at an even level.
speak() {
  espeak-ng -v en-us+f3 -s 150 -p 45 -w "$work/raw.wav" -- "$2"
  sox "$work/raw.wav" -r 8000 -c 1 "$work/$1.wav" \
    highpass 200 lowpass 3400 silence 1 0.02 0.5% reverse silence 1 0.02 0.5% reverse \
    norm -6 pad 0.02 0.08
}

encode() {
  sox "$work/$1.wav" -t raw -e mu-law -b 8 -r 8000 -c 1 "$1.ulaw"
}

# A short major chord of plucked strings before the announcement.
sox -n -r 8000 -c 1 "$work/chime.wav" synth 1.1 pluck C4 pluck E4 pluck G4 pluck C5 \
  delay 0 0.12 0.24 0.36 remix - fade 0 1.1 0.4 lowpass 3400 norm -12

speak text "This is Offhook. Your call works."
sox "$work/chime.wav" "$work/text.wav" "$work/announcement.wav"
encode announcement

speak press-keys "Please press some keys."
encode press-keys

for digit in 0 1 2 3 4 5 6 7 8 9; do
  speak "$digit" "$digit"
  encode "$digit"
done
speak star "star"
encode star
speak hash "hash"
encode hash
for letter in a b c d; do
  speak "$letter" "$letter"
  encode "$letter"
done

# Why a call failed, in each language that there is.
say() {
  espeak-ng -v "$1" -s 150 -p 45 -w "$work/raw.wav" -- "$3"
  sox "$work/raw.wav" -r 8000 -c 1 "$work/$2.$1.wav" \
    highpass 200 lowpass 3400 silence 1 0.02 0.5% reverse silence 1 0.02 0.5% reverse \
    norm -6 pad 0.02 0.08
  sox "$work/$2.$1.wav" -t raw -e mu-law -b 8 -r 8000 -c 1 "$2.${1%%-*}.ulaw"
}
say en-us number-unknown "This number is not in use."
say en-us busy "The number that you have called is busy."
say en-us congestion "The network is busy. Please try again later."
say en-us unavailable "Nobody answers at this number."
say de number-unknown "Kein Anschluss unter dieser Nummer."
say de busy "Der gewählte Anschluss ist besetzt."
say de congestion "Das Netz ist überlastet. Bitte versuchen Sie es später noch einmal."
say de unavailable "Unter dieser Nummer meldet sich niemand."

# What a star code has done.
say en-us do-not-disturb-on "Do not disturb is on."
say en-us do-not-disturb-off "Do not disturb is off."
say en-us forward-on "Your calls are forwarded to"
say en-us forward-off "Call forwarding is off."
say en-us not-set "This is not possible. Nothing was changed."
say de do-not-disturb-on "Nicht stören ist eingeschaltet."
say de do-not-disturb-off "Nicht stören ist ausgeschaltet."
say de forward-on "Ihre Anrufe werden umgeleitet an"
say de forward-off "Die Umleitung ist ausgeschaltet."
say de not-set "Das ist nicht möglich. Es wurde nichts geändert."
say de star "Stern"
say de hash "Raute"
for digit in 0 1 2 3 4 5 6 7 8 9; do say de "$digit" "$digit"; done
