import Foundation

/// How values are written as JSON on the wire and in the database: snake_case names, sorted, RFC 3339 times in
/// UTC with milliseconds.
public enum APICoding {
  private static let timeFormat = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  /// To the nearest millisecond; a time that was read is written as it came.
  public static func text(_ date: Date) -> String {
    let milliseconds = (date.timeIntervalSinceReferenceDate * 1000).rounded()
    // The format cuts off, so a time that a Double holds as a little less than its millisecond would lose one each time.
    return Date(timeIntervalSinceReferenceDate: (milliseconds + 0.25) / 1000).formatted(timeFormat)
  }

  public static func date(_ text: String) throws -> Date { try Date(text, strategy: timeFormat) }

  public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .custom { date, encoder in
      var container = encoder.singleValueContainer()
      try container.encode(text(date))
    }
    return try encoder.encode(value)
  }

  public static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.dateDecodingStrategy = .custom { decoder in
      try date(decoder.singleValueContainer().decode(String.self))
    }
    return try decoder.decode(type, from: data)
  }
}
