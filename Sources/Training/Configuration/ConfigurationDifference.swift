package import Settings

/// One key whose value is not the same in two configurations.
package struct ConfigurationDifference: Sendable, CustomStringConvertible {
    package let key: String
    package let before: String
    package let after: String
    package let rule: ResumeRule

    package var description: String { "\(key): \(before) became \(after)" }
}

extension RunConfiguration {
    /// Every key that differs from the configuration that a checkpoint was made with, and what that means for a resume.
    package func differences(from saved: RunConfiguration) -> [ConfigurationDifference] {
        let schema = schema
        return schema.settings.compactMap { setting in
            let before = schema.value(of: setting, in: saved), after = schema.value(of: setting, in: self)
            guard before != after else { return nil }
            return ConfigurationDifference(key: setting.path, before: before, after: after, rule: setting.onResume)
        }
    }
}

extension Schema {
    /// `null` for a key of a section that is null.
    fileprivate func value(of setting: Setting<Root>, in root: Root) -> String {
        isPresent(setting, in: root) ? setting.write(root) : "null"
    }
}
