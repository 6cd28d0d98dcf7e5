package qrcodec

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// minimalWords are the first and last letters of the 256 words of BCR-2020-012, in the order
// of the bytes that they stand for.
const minimalWords = "" +
	"aeadaoaxaaahamatayasbkbdbnbtbabsbebybgbwbbbzcmchcscfcycwcecackct" +
	"cxclcpcndkdadsdidedtdrdndwdpdmdldyeheyeoeeecenemetesftfrfnfsfmfh" +
	"fzfpfwfxfyfefgflfdgagegrgsgtglgwgdgygmgughgohfhghdhkhthphhhlhyhe" +
	"hnhsidiaieihiyioisinimjejzjnjtjljojsjpjkjykpkoktkskkknkgkekikblb" +
	"lalylflslrlplnltloldlelulklgmnmymhmemomumwmdmtmsmknlnyndnsntnnne" +
	"nboyoeotoxonolospdptpkpypspmplpepfpaprqdqzrerprlrorhrdrkrfryrnrs" +
	"rtsesasrssskswstspsosgsbsfsntotktitttdtetytltbtstptatnuyuoutueur" +
	"vtvyvovlvevwvavdvswlwdwmwpwewywswtwnwzwfwkykynylyaytzszoztzczezm"

// wordLength is the length of a minimal word in letters.
const wordLength = 2

// encodeBytewords returns data and its CRC-32 as minimal bytewords.
func encodeBytewords(data []byte) string {
	var b strings.Builder
	for _, c := range binary.BigEndian.AppendUint32(bytes.Clone(data), crc32.ChecksumIEEE(data)) {
		b.WriteString(minimalWords[wordLength*int(c) : wordLength*int(c)+wordLength])
	}
	return b.String()
}

// decodeBytewords decodes minimal bytewords in lower case, and verifies their CRC-32.
func decodeBytewords(text string) ([]byte, error) {
	if len(text)%wordLength != 0 || len(text) <= wordLength*crc32.Size {
		return nil, malformed("is too short, or lacks a letter")
	}
	data := make([]byte, 0, len(text)/wordLength)
	for ; text != ""; text = text[wordLength:] {
		c, ok := byteOf(text[0], text[1])
		if !ok {
			return nil, malformed("has letters that are not bytewords")
		}
		data = append(data, c)
	}
	end := len(data) - crc32.Size
	if binary.BigEndian.Uint32(data[end:]) != crc32.ChecksumIEEE(data[:end]) {
		return nil, malformed("does not match its checksum")
	}
	return data[:end], nil
}

// letters is the size of the alphabet.
const letters = 'z' - 'a' + 1

// wordBytes contains the byte of each pair of letters, plus 1; 0 for a pair that is not a word.
var wordBytes = func() (table [letters * letters]uint16) {
	for i := range len(minimalWords) / wordLength {
		first, last := minimalWords[wordLength*i]-'a', minimalWords[wordLength*i+1]-'a'
		table[int(first)*letters+int(last)] = uint16(i) + 1
	}
	return table
}()

// byteOf returns the byte that a minimal word stands for.
func byteOf(first, last byte) (byte, bool) {
	if first < 'a' || first > 'z' || last < 'a' || last > 'z' {
		return 0, false
	}
	n := wordBytes[int(first-'a')*letters+int(last-'a')]
	return byte(n - 1), n > 0 //nolint:gosec // the word's byte
}
