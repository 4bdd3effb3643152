import Foundation
import Quantization
import Testing

@Suite struct ActivationSpoolTests {
  @Test("What is written stays while the spool grows and memory is let go of", arguments: [false, true])
  func keeps(onDisk: Bool) throws {
    let folder = try TemporaryFolder()
    let spool = try ActivationSpool(in: onDisk ? folder.url : nil, rows: 3000, columns: 7)
    let rows = spool[1000..<3000]
    for row in 0..<rows.rows { for column in 0..<7 { rows[row, column] = Float(row * 7 + column) } }
    // Pages that it shares with rows outside stay as they are too.
    spool.release(1001..<2500)
    try spool.grow(rows: 100_000)
    spool.release(1000..<3000)
    let grown = spool[0..<100_000]
    #expect((0..<2000).allSatisfy { row in (0..<7).allSatisfy { grown[1000 + row, $0] == Float(row * 7 + $0) } })
    #expect(grown[999, 6] == 0 && grown[99_999, 6] == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)  // it has no name
  }

  @Test("Memory that is let go of isn't resident")
  func isReleased() throws {
    let folder = try TemporaryFolder()
    let rows = 1 << 20
    let spool = try ActivationSpool(in: folder.url, rows: rows, columns: 16)
    let all = spool[0..<rows]
    for row in 0..<rows { all[row, 0] = 1 }
    let before = try Self.residentFilePages()
    spool.release(0..<rows)
    // 64 MiB of 4 KiB pages; other tests' files take and leave far less.
    #expect(before - (try Self.residentFilePages()) > 8192)
  }

  private static func residentFilePages() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .ascii).split(separator: " ")
    return Int(fields[2]) ?? 0
  }

  @Test("A folder that isn't there is an error")
  func needsAFolder() {
    #expect(throws: POSIXError.self) { try ActivationSpool(in: URL(filePath: "/nowhere"), rows: 1, columns: 1) }
  }
}
