import Service
import Testing

/// Of a file of 1000 bytes where nothing else is said. Expected values follow RFC 9110, section 14.
let rangeCases: [(header: String, expected: ByteRange)] = [
  ("bytes=0-0", .part(0..<1)),
  ("bytes=0-99", .part(0..<100)),
  ("bytes=100-199", .part(100..<200)),
  ("bytes=999-999", .part(999..<1000)),
  ("bytes=0-999", .part(0..<1000)),
  ("bytes=0-1000", .part(0..<1000)),
  ("bytes=900-123456789", .part(900..<1000)),
  ("bytes=0-99999999999999999999999999", .part(0..<1000)),
  ("bytes=0-", .part(0..<1000)),
  ("bytes=500-", .part(500..<1000)),
  ("bytes=999-", .part(999..<1000)),
  ("bytes=-1", .part(999..<1000)),
  ("bytes=-100", .part(900..<1000)),
  ("bytes=-1000", .part(0..<1000)),
  ("bytes=-5000", .part(0..<1000)),
  ("bytes=-99999999999999999999999999", .part(0..<1000)),
  ("Bytes=5-6", .part(5..<7)),
  ("bytes=007-008", .part(7..<9)),
  ("bytes=1000-", .notSatisfiable),
  ("bytes=1000-1001", .notSatisfiable),
  ("bytes=99999999999999999999999999-", .notSatisfiable),
  ("bytes=-0", .notSatisfiable),
  ("bytes=5-4", .whole),
  ("bytes=0-1,5-6", .whole),
  ("bytes=0-1,", .whole),
  ("bytes=", .whole),
  ("bytes=-", .whole),
  ("bytes=--5", .whole),
  ("bytes=5", .whole),
  ("bytes=a-b", .whole),
  ("bytes=+1-5", .whole),
  ("bytes=1-5-9", .whole),
  ("bytes=0x1-0x5", .whole),
  ("bytes=1 - 5", .whole),
  ("bytes=١-٥", .whole),
  ("bytes 0-99", .whole),
  ("items=0-99", .whole),
  ("=0-99", .whole),
  ("0-99", .whole),
]

@Test(arguments: rangeCases)
func rangeOfAThousandBytes(header: String, expected: ByteRange) {
  #expect(ByteRange(header, size: 1000) == expected)
}

@Test(arguments: ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"])
func anEmptyFileSatisfiesNoRange(header: String) {
  #expect(ByteRange(header, size: 0) == .notSatisfiable)
}

@Test func withoutAHeaderTheWholeFileIsMeant() {
  #expect(ByteRange(nil, size: 1000) == .whole)
}
