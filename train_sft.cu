// train_sft: supervised fine-tuning on prompt/response pairs: what a model gets before reinforcement learning, so that it knows the
// form of an answer. ./train_sft -m MODEL_FOLDER -d pairs.jsonl -o runs/start      writes runs/start/model, a Hugging Face folder
#include "llmc/sft.h"

int main(int argc, char **argv) {
    SftConfig config = sft_config_from_args(argc, argv);
    if (!*config.model) { fatal("no model: give --model DIR, a Hugging Face folder"); }
    if (config.steps > 0 && !*config.train_data) { fatal("no pairs: give --train_data FILE (.jsonl or .parquet)"); }
    options_table(stdout, &config, &sft_option_set);
    sft_run(&config, false);
    return 0;
}
