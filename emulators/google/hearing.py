"""From a configuration and an audio file to results, as each version writes them (providers §1.2, §1.3)."""

from typing import Any

from emulators.google.problems import Refused
from emulators.hearing import AudioError, Recording, hear, sentence
from speechserver.recognisers.base import Segment, Word

LANGUAGES = {"en", "he", "de", "fr", "es", "it", "pt", "nl", "hi", "ja", "ru", "ar", "iw"}
V1_MODELS = {"latest_long", "latest_short", "phone_call", "video", "command_and_search", "default", "telephony"}
V2_MODELS = {"telephony", "telephony_short", "long", "short", "chirp_2", "chirp_3"}
LONGEST_INLINE_MS = 60_000
LARGEST_INLINE = 10_485_760
V1_MEMBERS = {
    "encoding",
    "sampleRateHertz",
    "audioChannelCount",
    "enableSeparateRecognitionPerChannel",
    "languageCode",
    "alternativeLanguageCodes",
    "maxAlternatives",
    "profanityFilter",
    "enableWordTimeOffsets",
    "enableWordConfidence",
    "enableAutomaticPunctuation",
    "diarizationConfig",
    "model",
    "useEnhanced",
}
BETA_ONLY = {"enableWordConfidence", "alternativeLanguageCodes"}


class Wish:
    """A configuration, judged as the vendor judges it; raises Refused."""

    def __init__(self, version: str, config: dict[str, Any], spoken: str) -> None:
        self.v2 = version == "v2"
        features = config.get("features", {}) if self.v2 else config
        if not self.v2:
            allowed = V1_MEMBERS if version == "v1p1beta1" else V1_MEMBERS - BETA_ONLY
            if unknown := set(config) - allowed:
                name = sorted(unknown)[0]
                raise Refused("INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{name}" at "config".')
        alternatives = config.get("alternativeLanguageCodes", [])
        if len(alternatives) > 3:
            raise Refused("INVALID_ARGUMENT", "Invalid recognition 'config': too many alternative language codes.")
        languages = config.get("languageCodes", []) if self.v2 else [config.get("languageCode", ""), *alternatives]
        for tag in languages or [""]:
            if str(tag).partition("-")[0].lower() not in LANGUAGES:
                raise Refused("INVALID_ARGUMENT", f'Invalid recognition "config": bad language code. "{tag}"')
        if config.get("model", "default") not in (V2_MODELS if self.v2 else V1_MODELS):
            raise Refused("INVALID_ARGUMENT", f"Incorrect model specified: {config.get('model')}")
        self.languages = [str(tag) for tag in languages]
        among = [tag for tag in self.languages if tag.partition("-")[0].lower() == spoken]
        self.language = [*among, *self.languages][0].lower()
        self.channels = config.get("audioChannelCount")
        self.separate = bool(
            features.get("multiChannelMode") if self.v2 else config.get("enableSeparateRecognitionPerChannel")
        )
        self.offsets = bool(features.get("enableWordTimeOffsets"))
        self.confidence = bool(features.get("enableWordConfidence"))
        self.punctuates = bool(features.get("enableAutomaticPunctuation"))
        self.diarizes = "diarizationConfig" in features

    def results(self, content: bytes, *, inline: bool) -> tuple[Recording, list[dict[str, Any]]]:
        """What is heard in ``content``. Raises Refused."""
        if inline and len(content) > LARGEST_INLINE:
            raise Refused("INVALID_ARGUMENT", "Request payload size exceeds the limit: 10485760 bytes.")
        try:
            heard = hear(content, mix=False)
        except AudioError:
            text = "Unable to recognize speech, possible error in recognition config. Please correct the config."
            raise Refused("INVALID_ARGUMENT", text) from None
        if inline and heard.duration_ms > LONGEST_INLINE_MS:
            raise Refused("INVALID_ARGUMENT", "Inline audio exceeds duration limit. Please use a GCS URI.")
        if self.channels is not None and self.channels != len(heard.channels):
            text = f"The audio has {len(heard.channels)} channels, but audioChannelCount is {self.channels}."
            raise Refused("INVALID_ARGUMENT", text)
        channels = heard.channels if self.separate else heard.channels[:1]
        found = [(n, segment) for n, segments in enumerate(channels) for segment in segments]
        found.sort(key=lambda each: each[1].words[0].start_ms)
        results = [self._result(segment, number) for number, segment in found]
        if self.diarizes and found:
            results.append(self._speakers([segment for _number, segment in found]))
        return heard, results

    def _result(self, segment: Segment, number: int) -> dict[str, Any]:
        shown = sentence(segment) if self.punctuates else " ".join(word.text for word in segment.words)
        pairs = zip(shown.split(" "), segment.words, strict=True)
        alternative = {"transcript": shown, "confidence": 0.92, "words": [self._word(*pair) for pair in pairs]}
        end = f"{segment.words[-1].end_ms / 1000:.3f}s"
        said: dict[str, Any] = {"alternatives": [alternative], "languageCode": self.language}
        said["resultEndOffset" if self.v2 else "resultEndTime"] = end
        return {**said, "channelTag": number + 1} if self.separate else said

    def _speakers(self, segments: list[Segment]) -> dict[str, Any]:
        words = []
        for place, segment in enumerate(segments):
            for word in segment.words:
                tag = {"speakerLabel": str(place % 2 + 1)} if self.v2 else {"speakerTag": place % 2 + 1}
                words.append({**self._word(word.text, word), **tag})
        return {"alternatives": [{"words": words}]}

    def _word(self, shown: str, word: Word) -> dict[str, Any]:
        said: dict[str, Any] = {"word": shown}
        if self.offsets:
            start, end = ("startOffset", "endOffset") if self.v2 else ("startTime", "endTime")
            said |= {start: f"{word.start_ms / 1000:.3f}s", end: f"{word.end_ms / 1000:.3f}s"}
        return {**said, "confidence": word.confidence} if self.confidence else said
