import Crypto
import Foundation
import JobModel
import Service
import Testing

@Suite struct UploadHeaderTests {
  @Test(arguments: [
    ("bytes 0-0/1", 0..<1, 1), ("bytes 0-99/1000", 0..<100, 1000), ("BYTES 900-999/1000", 900..<1000, 1000),
    ("bytes 00-01/0002", 0..<2, 2), ("bytes 0-9223372036854775806/9223372036854775807", 0..<Int.max, Int.max),
  ])
  func aRangeIsRead(header: String, range: Range<Int>, total: Int) throws {
    let read = try ContentRange(header)
    #expect(read.range == range)
    #expect(read.total == total)
  }

  @Test(arguments: [
    "", "bytes", "bytes ", "bytes 0-0", "bytes 0-0/", "bytes 0-0/0", "bytes 1-0/5", "bytes 0-5/5", "bytes 5-5/5", "bytes 0-0/*",
    "bytes */5", "bytes -1-0/5", "bytes 0--1/5", "bytes=0-0/1", "items 0-0/1", "bytes 0-0/1 ", " bytes 0-0/1", "bytes 0-0/1, bytes 1-1/2",
    "bytes 0 - 0/1", "bytes 0x0-0x1/5", "bytes 1e0-1e1/100", "bytes +0-1/5", "bytes ٠-٠/1", "bytes 0-0/1\u{0}",
    "bytes 0-9223372036854775807/9223372036854775807", "bytes 0-0/9223372036854775808", "bytes 0-0/99999999999999999999999999",
    String(repeating: "bytes 0-0/1", count: 2000),
  ])
  func nonsenseIsNoRange(header: String) {
    let problem = #expect(throws: Problem.self) { try ContentRange(header) }
    #expect(problem?.status == 400)
    #expect(problem?.detail.contains("Content-Range") == true)
    #expect((problem?.detail.count ?? .max) < 250)
  }

  private static let abc = Data(SHA256.hash(data: Data("abc".utf8))).base64EncodedString()
  private static let abcHexadecimal = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

  @Test func aDigestIsRead() throws {
    let other = Data(count: 64).base64EncodedString()
    for fields in [
      ["sha-256=:\(Self.abc):"], ["  sha-256=:\(Self.abc): "], ["sha-512=:\(other):, sha-256=:\(Self.abc):"],
      ["sha-256=:\(Self.abc):,md5=:AAAA:"], ["sha-512=:\(other):", "sha-256=:\(Self.abc):"],
    ] { #expect(try DigestField.sha256(fields, name: "Repr-Digest") == Self.abcHexadecimal, "\(fields)") }
    #expect(try DigestField.sha256([], name: "Repr-Digest") == nil)
  }

  @Test func nonsenseIsNoDigest() {
    let (abc, short) = (Self.abc, Data(count: 31).base64EncodedString())
    for field in [
      "", " ", ",", "sha-256", "sha-256=", "sha-256=\(abc)", "sha-256=:\(abc)", "sha-256=\(abc):", "sha-256=::", "sha-256=:\(short):",
      "sha-256=:\(abc)AAAA:", "sha-256=:!!!!:", "sha-256=:\(abc):,", ",sha-256=:\(abc):", "sha-256=:\(abc): sha-256=:\(abc):",
      "sha-256=:\(abc):, sha-256=:\(abc):", "SHA-256=:\(abc):", "sha-512=:\(abc):", "md5=:AAAA:", "sha-256=:\(Self.abcHexadecimal):",
      "sha-256=\"\(abc)\"", "sha-256=:\(abc):;x=1", "sha-256=:\(abc.dropLast()):", "sha-256=:\u{0}:", "sha-256=:ÄÖÜ:",
      String(repeating: "a=:AAAA:,", count: 5000),
    ] {
      let problem = #expect(throws: Problem.self, "\(field.prefix(80))") { try DigestField.sha256([field], name: "Content-Digest") }
      #expect(problem?.status == 400)
      #expect(problem?.detail.hasPrefix("Content-Digest") == true)
      #expect((problem?.detail.count ?? .max) < 250)
    }
  }
}
