import ArgumentParser
import Launching
import SystemPackage

/// What `launch/study` hands over to.
struct StudyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study",
        abstract: "Compares starts: trains a task from each, on shares of the labels, with several seeds.",
        discussion: """
            launch/study configs/studies/camvid-segmentation.yaml
            launch/study --hosts hosts --restart 100 my-study.yaml
            launch/study --dry-run my-study.yaml            # what would be run, and what is done

            Each run is an ordinary one (directory/runs/…), started as launch/train does. Stop it whenever you want: what is \
            done is kept in directory/results, the run in progress goes on from its checkpoint. Tables and a chart of what \
            is known so far are in directory/table.md and report.html.

            Keys of the file:
              directory     where everything is kept
              score         the score that is compared, such as mIoU or AP50
              resamples     draws of the scored pictures for 95 % intervals of mIoU, AP or AP50 (1000); 0 for none
              labels        a list of {fraction: 0.1, seeds: 3}
              starts        a list of {name, pretraining, network, weights, training}; the others are compared with the first
              pretrainings  by name, keys of `pixpro train`: each is done once
              training      keys of `pixpro train` of all fine-tunings
              pretrainingDirectory  where pretrainings are kept, for several studies to share (directory)

            The study itself sets run.directory, and of fine-tunings run.seed, data.labelFraction and model.start.
            """)

    @OptionGroup var options: LaunchOptions

    @Flag(help: "Say what is to be run and what is done, start nothing.")
    var dryRun = false

    @Argument(help: "The study's file.")
    var file: FilePath

    func run() throws {
        let launcher = try options.launcher(isDryRun: dryRun), work: StudyWork
        do {
            let study = try StudyFile(file)
            work = StudyWork(study.study, try study.configurations(tasks: tasks), options: launcher)
        } catch { throw ExitCode(Launcher.refuse(error)) }
        throw ExitCode(waitForStatus { await work.run() })
    }
}
