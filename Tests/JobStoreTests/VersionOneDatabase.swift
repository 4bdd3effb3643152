import Foundation
import GRDB

/// A database as the first version left it: its schema, and bodies of jobs, layers and attempts as it wrote them.
enum VersionOneDatabase {
  static let succeeded = "01M8573B6EPCT61ER3SENZRF92"
  static let failed = "01M8573B6EPCT61ER3SENZRF93"
  static let queued = "01M8573B6EPCT61ER3SENZRF94"

  private static let jobs = [
    (
      succeeded, "succeeded",
      #"""
      {"attempt":1,"created_at":"2027-01-15T08:00:00.250Z","degraded":false,"finished_at":"2027-01-15T08:01:00.250Z",\#
      "id":"01M8573B6EPCT61ER3SENZRF92","progress":{"done":2,"eta_seconds":0,"fraction":1,\#
      "layer":"model.layers.0.mlp.down_proj","total":2},"report":{"calibration_tokens":32768,"evaluation_tokens":100,\#
      "layers":2,"mean_relative_loss":0.0123,"perplexity_after":12.75,"perplexity_before":12.25,"seconds":58.5},\#
      "request":{"calibration":{"dataset":"wiki","samples":64,"seed":9,"sequence_length":512},"evaluation":{"dataset":"held"},\#
      "model":"qwen","priority":2,"quantization":{"act_group_aware":true,"bits":3,"damp_percent":0.02,"desc_act":false,\#
      "format":"gptq","group_size":128,"method":"gptq","sym":true}},"result":{"files":[{"path":"config.json","sha256":"ab",\#
      "size":3}],"repo":"jobs/01M8573B6EPCT61ER3SENZRF92","revision":"0123456789abcdef0123456789abcdef01234567"},\#
      "started_at":"2027-01-15T08:00:01.250Z","status":"succeeded","version":41,"warnings":["2 groups are short"]}
      """#
    ),
    (
      failed, "failed",
      #"""
      {"attempt":2,"created_at":"2027-01-15T08:00:00.250Z","degraded":false,"error":{"advice":"give more text",\#
      "cause":"incurable","code":"not_positive_definite","detail":"no factor","layer":"model.layers.0.self_attn.q_proj"},\#
      "finished_at":"2027-01-15T08:00:02.250Z","id":"01M8573B6EPCT61ER3SENZRF93","request":{"calibration":{"dataset":"wiki",\#
      "seed":0},"model":"qwen","priority":0,"quantization":{"act_group_aware":false,"bits":4,"damp_percent":0.01,\#
      "desc_act":true,"format":"gptq_v2","group_size":128,"method":"gptq","sym":true}},\#
      "started_at":"2027-01-15T08:00:01.250Z","status":"failed","version":9,"warnings":[]}
      """#
    ),
    (
      queued, "queued",
      #"""
      {"attempt":0,"created_at":"2027-01-15T08:00:00.250Z","degraded":false,"id":"01M8573B6EPCT61ER3SENZRF94",\#
      "request":{"model":"qwen","priority":0,"quantization":{"act_group_aware":true,"bits":4,"damp_percent":0.01,\#
      "desc_act":false,"format":"gptq","group_size":128,"method":"rtn","sym":true}},"status":"queued","version":1,\#
      "warnings":[]}
      """#
    ),
  ]

  private static let layers = [
    (
      "model.layers.0.self_attn.q_proj", 0,
      #"""
      {"attempts":4,"bits":3,"block":0,"damping":0.05,"dead_columns":1,"group_size":128,"loss":1.5,"method":"gptq",\#
      "name":"model.layers.0.self_attn.q_proj","position":0,"relative_loss":0.01,"seconds":0.25,"shape":[8,16],"state":"done",\#
      "tokens":32768}
      """#
    ),
    (
      "model.layers.0.mlp.down_proj", 1,
      #"{"attempts":0,"block":0,"name":"model.layers.0.mlp.down_proj","position":1,"shape":[16,8],"state":"pending"}"#
    ),
  ]

  private static let attempts: [(cause: String?, damping: Double, precision: String, outcome: String, body: String)] = [
    (
      "rounding", 0.02, "float32", "failed",
      #"""
      {"at":"2027-01-15T08:00:05.250Z","cause":"rounding","damping":0.02,"info":3,"job_attempt":1,\#
      "layer":"model.layers.0.self_attn.q_proj","number":1,"outcome":"failed","precision":"float32","samples":64,\#
      "seconds":0.125,"smallest_pivot":-1.5e-09,"tokens":32768}
      """#
    ),
    (
      "rank_deficient", 0.02, "float64", "failed",
      #"""
      {"at":"2027-01-15T08:00:05.250Z","cause":"rank_deficient","damping":0.02,"info":3,"job_attempt":1,\#
      "layer":"model.layers.0.self_attn.q_proj","number":2,"outcome":"failed","precision":"float64","samples":64,\#
      "seconds":0.125,"smallest_pivot":-1.5e-09,"tokens":32768}
      """#
    ),
    (
      nil, 0.05, "float32", "succeeded",
      #"""
      {"at":"2027-01-15T08:00:05.250Z","damping":0.05,"info":0,"job_attempt":1,"layer":"model.layers.0.self_attn.q_proj",\#
      "loss":1.5,"number":3,"outcome":"succeeded","precision":"float32","reciprocal_condition":1e-07,"samples":64,\#
      "seconds":0.125,"tokens":32768}
      """#
    ),
  ]

  static func write(to file: URL) throws {
    let migration = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../migrations/0001_jobs.sql")
    let schema = try String(contentsOf: migration, encoding: .utf8)
    try DatabaseQueue(path: file.path).write { database in
      try database.execute(sql: schema)
      try database.execute(
        sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY); INSERT INTO grdb_migrations VALUES ('0001_jobs')")
      for (id, status, body) in jobs {
        try database.execute(
          sql: """
            INSERT INTO jobs (id, status, priority, version, body)
            VALUES (:id, :status, json_extract(:body, '$.request.priority'), json_extract(:body, '$.version'), :body)
            """, arguments: ["id": id, "status": status, "body": body])
      }
      for (name, position, body) in layers {
        try database.execute(
          sql: "INSERT INTO layers (job, name, position, body) VALUES (?, ?, ?, ?)", arguments: [succeeded, name, position, body])
      }
      for (cause, damping, precision, outcome, body) in attempts {
        try database.execute(
          sql: "INSERT INTO attempts (job, layer, cause, damping, precision, outcome, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
          arguments: [succeeded, "model.layers.0.self_attn.q_proj", cause, damping, precision, outcome, body])
      }
    }
  }
}
