import Checkpoint
import Testing

@Suite struct Float16ConversionTests {
  static let patterns = (UInt16.min...UInt16.max).map { $0 }

  private static func widened(_ patterns: [UInt16], _ type: ScalarType) throws -> [Float] {
    var values = [Float](repeating: 0, count: patterns.count)
    let known = patterns.withUnsafeBytes { source in
      values.withUnsafeMutableBufferPointer { Float16Conversion.widen(source, of: type, into: $0) }
    }
    try #require(known)
    return values
  }

  @Test("All 65,536 patterns widen exactly", arguments: [ScalarType.float16, .bfloat16])
  func exhaustive(_ type: ScalarType) throws {
    let values = try Self.widened(Self.patterns, type)
    let wrong = zip(Self.patterns, values).filter { pattern, value in
      let expected = type == .float16 ? Float(Float16(bitPattern: pattern)) : Float(bitPattern: UInt32(pattern) << 16)
      return expected.isNaN ? !value.isNaN : value.bitPattern != expected.bitPattern
    }
    #expect(wrong.isEmpty)
  }

  @Test("Unaligned bytes and every remainder of a vector", arguments: [ScalarType.float32, .float16, .bfloat16], [0, 1, 7, 15, 16, 33])
  func unaligned(_ type: ScalarType, _ count: Int) {
    let values = (0..<count).map { Float($0) - 3.5 }
    var bytes = [UInt8](repeating: 0xAA, count: count * type.byteCount + 2)
    var back = [Float](repeating: .nan, count: count)
    bytes.withUnsafeMutableBytes { bytes in
      let odd = UnsafeMutableRawBufferPointer(rebasing: bytes[1..<bytes.count - 1])
      #expect(values.withUnsafeBufferPointer { Float16Conversion.narrow($0, to: type, into: odd) })
      #expect(back.withUnsafeMutableBufferPointer { Float16Conversion.widen(UnsafeRawBufferPointer(odd), of: type, into: $0) })
    }
    #expect(back == values)
    #expect(bytes.first == 0xAA && bytes.last == 0xAA)
  }

  @Test("Other types are left alone", arguments: [ScalarType.int32, .float64, .float8E4M3, .bool])
  func otherTypes(_ type: ScalarType) {
    let bytes = [UInt8](repeating: 0, count: 2 * type.byteCount)
    var values: [Float] = [3, 4]
    let widened = bytes.withUnsafeBytes { source in
      values.withUnsafeMutableBufferPointer { Float16Conversion.widen(source, of: type, into: $0) }
    }
    #expect(!widened)
    #expect(values == [3, 4])
  }
}
