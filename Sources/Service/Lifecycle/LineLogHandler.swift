import Foundation
import JobModel
import Logging
import StrictJSON

/// Logs to standard error, one line a message: readable text, or a JSON object.
public struct LineLogHandler: LogHandler {
  public var logLevel: Logger.Level
  public var metadata: Logger.Metadata = [:]
  private let label: String
  private let format: ServiceConfiguration.LogFormat

  public init(label: String, format: ServiceConfiguration.LogFormat, level: Logger.Level) {
    self.label = label
    self.format = format
    logLevel = level
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let line = Self.line(
      format, time: APICoding.text(Date()), level: event.level, label: label, message: "\(event.message)",
      fields: fields.map { ($0.key, "\($0.value)") })
    // A log that can't be written, to a full disk or a closed pipe, must not end the daemon.
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
  }

  package static func line(
    _ format: ServiceConfiguration.LogFormat, time: String, level: Logger.Level, label: String, message: String,
    fields: [(name: String, value: String)]
  ) -> String {
    switch format {
    case .text:
      let text = "\(time) \(level.rawValue) \(message)" + fields.map { " \($0.name)=\($0.value)" }.joined()
      return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    case .json:
      var object: JSONObject = [
        "time": .string(time), "level": .string(level.rawValue), "label": .string(label), "message": .string(message),
      ]
      for (name, value) in fields where object[name] == nil { object[name] = .string(value) }
      return JSONValue.object(object).serialized()
    }
  }
}
