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
    let time = APICoding.text(Date())
    let line: String
    switch format {
    case .text:
      let details = fields.map { " \($0.key)=\($0.value)" }.joined()
      line = "\(time) \(event.level.rawValue) \(event.message)\(details)"
    case .json:
      var object: JSONObject = [
        "time": .string(time), "level": .string(event.level.rawValue), "label": .string(label), "message": .string("\(event.message)"),
      ]
      for (key, value) in fields { object[key] = .string("\(value)") }
      line = JSONValue.object(object).serialized()
    }
    FileHandle.standardError.write(Data((line.replacing("\n", with: "\\n") + "\n").utf8))
  }
}
