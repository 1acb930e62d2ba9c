"""What the mini-programs of the showcase ask for details for; see demo_purposes."""

from portal.demo_purposes import said

RIDES = {
    "USER_NICKNAME": said(
        "So your driver knows who to look for",
        "方便司机找到您",
        "Supaya pengemudi tahu siapa yang dicari",
        "Para alam ng driver kung sino ang hahanapin",
        "Supaya pemandu tahu siapa yang perlu dicari",
        "เพื่อให้คนขับรู้ว่าต้องมองหาใคร",
        "ليعرف السائق عمّن يبحث",
    ),
    "PLAINTEXT_MOBILE_PHONE": said(
        "So your driver can call you at the pick-up point",
        "方便司机在上车点给您打电话",
        "Supaya pengemudi bisa menelepon Anda di titik jemput",
        "Para matawagan ka ng driver sa sakayan",
        "Supaya pemandu boleh menelefon anda di tempat ambil",
        "เพื่อให้คนขับโทรหาคุณที่จุดรับได้",
        "ليتمكن السائق من الاتصال بك في نقطة اللقاء",
    ),
}
MARKET = {
    "USER_NAME": said(
        "To write your name on the parcel",
        "用于在包裹上写您的姓名",
        "Untuk menulis nama Anda di paket",
        "Para isulat ang pangalan mo sa parsela",
        "Untuk menulis nama anda pada bungkusan",
        "เพื่อเขียนชื่อของคุณบนพัสดุ",
        "لكتابة اسمك على الطرد",
    ),
    "USER_ADDRESS": said(
        "To deliver your groceries",
        "用于为您配送生鲜杂货",
        "Untuk mengantar belanjaan Anda",
        "Para maihatid ang mga pinamili mo",
        "Untuk menghantar barangan runcit anda",
        "เพื่อจัดส่งของสดของใช้ให้คุณ",
        "لتوصيل مشترياتك",
    ),
}
FITNESS = {
    "USER_NICKNAME": said(
        "To show your name among your friends",
        "用于在好友之间显示您的名字",
        "Untuk menampilkan nama Anda di antara teman",
        "Para ipakita ang pangalan mo sa mga kaibigan",
        "Untuk memaparkan nama anda di kalangan rakan",
        "เพื่อแสดงชื่อของคุณในกลุ่มเพื่อน",
        "لإظهار اسمك بين أصدقائك",
    ),
    "USER_GENDER": said(
        "To plan training that fits you",
        "用于制定适合您的训练计划",
        "Untuk menyusun latihan yang cocok bagi Anda",
        "Para magplano ng ensayong bagay sa iyo",
        "Untuk merancang latihan yang sesuai dengan anda",
        "เพื่อวางแผนการฝึกที่เหมาะกับคุณ",
        "لوضع تمارين تناسبك",
    ),
    "USER_BIRTHDAY": said(
        "To keep your heart rate in a safe range and compare you with people of your age",
        "用于将您的心率保持在安全范围内，并与同龄人比较",
        "Untuk menjaga detak jantung Anda di batas aman dan membandingkan dengan orang seusia Anda",
        "Para manatiling ligtas ang tibok ng puso mo at maihambing ka sa mga kaedad mo",
        "Untuk mengekalkan kadar jantung anda dalam julat selamat dan membandingkan dengan orang sebaya anda",
        "เพื่อรักษาอัตราการเต้นของหัวใจให้อยู่ในช่วงปลอดภัย และเปรียบเทียบกับคนวัยเดียวกัน",
        "للحفاظ على نبض قلبك في نطاق آمن ومقارنتك بمن هم في سنّك",
    ),
}
# What Fitness asked the birthday for before it changed that.
FITNESS_BEFORE = said(
    "To keep your heart rate in a safe range",
    "用于将您的心率保持在安全范围内",
    "Untuk menjaga detak jantung Anda di batas aman",
    "Para manatiling ligtas ang tibok ng puso mo",
    "Untuk mengekalkan kadar jantung anda dalam julat selamat",
    "เพื่อรักษาอัตราการเต้นของหัวใจให้อยู่ในช่วงปลอดภัย",
    "للحفاظ على نبض قلبك في نطاق آمن",
)
CINEMA = {
    "USER_NAME": said(
        "To put your name on the ticket",
        "用于在电影票上写您的姓名",
        "Untuk mencantumkan nama Anda di tiket",
        "Para ilagay ang pangalan mo sa tiket",
        "Untuk meletakkan nama anda pada tiket",
        "เพื่อใส่ชื่อของคุณบนตั๋ว",
        "لوضع اسمك على التذكرة",
    ),
    "USER_BIRTHDAY": said(
        "To check your age for a film",
        "用于核对观影年龄",
        "Untuk memeriksa usia Anda untuk sebuah film",
        "Para tiyakin ang edad mo para sa pelikula",
        "Untuk menyemak umur anda bagi sesebuah filem",
        "เพื่อตรวจสอบอายุสำหรับภาพยนตร์",
        "للتحقق من عمرك قبل مشاهدة فيلم",
    ),
}
LOANS = {
    "USER_CONTACTINFO": said(
        "To contact you about offers",
        "用于就优惠与您联系",
        "Untuk menghubungi Anda soal penawaran",
        "Para makontak ka tungkol sa mga alok",
        "Untuk menghubungi anda tentang tawaran",
        "เพื่อติดต่อคุณเกี่ยวกับข้อเสนอ",
        "للتواصل معك بشأن العروض",
    ),
    "USER_ADDRESS": said(
        "To check where you live",
        "用于核实您的住址",
        "Untuk memeriksa tempat tinggal Anda",
        "Para alamin kung saan ka nakatira",
        "Untuk menyemak tempat tinggal anda",
        "เพื่อตรวจสอบที่อยู่อาศัยของคุณ",
        "للتحقق من مكان سكنك",
    ),
}
